//! Where a peer listens: a host and a UDP port.

use std::fmt;
use std::net::Ipv6Addr;
use std::str::FromStr;

/// Bytes of a host name at most (RFC 1035 §2.3.4).
pub const HOST_BYTES_MAX: usize = 253;

/// A host name or IP address with a UDP port. Names are resolved when dialling, anew each time.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Address {
    /// Host name, IPv4 address, or IPv6 address without brackets (a zone such as `%eth0` included).
    pub host: String,
    /// UDP port, never 0.
    pub port: u16,
}

/// Why a text is no address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// No `:port` at the end.
    #[error("it has no port")]
    NoPort,
    /// The part after the last colon is no number from 1 to 65535.
    #[error("its port is no number from 1 to 65535")]
    BadPort,
    /// Port 0 names no port.
    #[error("port 0 cannot be dialled")]
    ZeroPort,
    /// More than one colon, and no brackets.
    #[error("an IPv6 address needs brackets before the port")]
    NoBrackets,
    /// Brackets around something else than an IPv6 address.
    #[error("what stands in the brackets is no IPv6 address")]
    BadIpv6,
    /// An empty host, a character that no host name has, or too many of them.
    #[error("its host is neither a host name nor an IP address")]
    BadHost,
}

impl AddressError {
    /// How such an address is written.
    pub fn hint(&self) -> Option<String> {
        let mend = match self {
            AddressError::NoPort => "add the port, such as \"bob.lan:9999\"",
            AddressError::BadPort | AddressError::ZeroPort => {
                "use the port that the peer listens on, such as \"bob.lan:9999\""
            }
            AddressError::NoBrackets | AddressError::BadIpv6 => "write an IPv6 address as \"[fd00::12]:9999\"",
            AddressError::BadHost => "write \"host:port\", such as \"192.168.1.12:9999\" or \"bob.lan:9999\"",
        };
        Some(mend.to_owned())
    }
}

impl FromStr for Address {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        if let Some(rest) = text.strip_prefix('[') {
            let (host, port) = rest.split_once(']').ok_or(AddressError::BadIpv6)?;
            let (ip, zone) = host.split_once('%').unwrap_or((host, "0"));
            let zone_is_good = !zone.is_empty() && zone.len() <= 32 && zone.chars().all(is_host_char);
            if ip.parse::<Ipv6Addr>().is_err() || !zone_is_good {
                return Err(AddressError::BadIpv6);
            }
            let port = port.strip_prefix(':').ok_or(AddressError::NoPort)?;
            return Ok(Address { host: host.to_owned(), port: parse_port(port)? });
        }
        let (host, port) = text.rsplit_once(':').ok_or(AddressError::NoPort)?;
        if host.contains(':') {
            return Err(AddressError::NoBrackets);
        }
        if host.is_empty() || host.len() > HOST_BYTES_MAX || !host.chars().all(is_host_char) {
            return Err(AddressError::BadHost);
        }
        Ok(Address { host: host.to_owned(), port: parse_port(port)? })
    }
}

// the underscore is no letter of RFC 1123, but names on home networks have it
fn is_host_char(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_')
}

fn parse_port(text: &str) -> Result<u16, AddressError> {
    // `parse` alone would take "+9999"
    if !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(AddressError::BadPort);
    }
    match text.parse() {
        Ok(0) => Err(AddressError::ZeroPort),
        Ok(port) => Ok(port),
        Err(_) => Err(AddressError::BadPort),
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use super::*;

    #[test]
    fn reads_and_writes_each_form() {
        for text in ["bob.lan:9999", "1.2.3.4:9", "[::1]:9", "[fe80::1%eth0]:65535", "my_host-2:1"] {
            assert_eq!(text.parse::<Address>().unwrap().to_string(), text);
        }
        let address: Address = "[::1]:9".parse().unwrap();
        assert_eq!((address.host.as_str(), address.port), ("::1", 9));
    }

    #[test]
    fn names_what_is_wrong() {
        use AddressError::*;
        for (text, why) in [
            ("", NoPort),
            ("bob", NoPort),
            ("[::1]", NoPort),
            ("bob:", BadPort),
            ("bob:x", BadPort),
            ("bob:+9", BadPort),
            ("bob:65536", BadPort),
            ("bob:0", ZeroPort),
            ("::1:9", NoBrackets),
            ("[::1:9", BadIpv6),
            ("[bob]:9", BadIpv6),
            ("[::1%]:9", BadIpv6),
            (":9", BadHost),
            ("bo b:9", BadHost),
            ("bo\u{202e}b:9", BadHost),
        ] {
            assert_eq!(text.parse::<Address>(), Err(why), "{text:?}");
            assert!(why.hint().is_some());
        }
        let long = format!("{}:9", "a".repeat(HOST_BYTES_MAX + 1));
        assert_eq!(long.parse::<Address>(), Err(BadHost));
    }
}
