//! The addresses under which others reach us.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};

/// What the other side may write into its table; empty where only this machine can reach us. Nothing is sent: the system
/// is asked which of our addresses it would send from (the far ends are of RFC 5737 and RFC 3849, nobody's).
pub(super) fn reach(listen: SocketAddr) -> Vec<String> {
    if !listen.ip().is_unspecified() {
        let reached = !listen.ip().is_loopback();
        return reached.then(|| listen.to_string()).into_iter().collect();
    }
    let far: [SocketAddr; 2] =
        [(Ipv4Addr::new(192, 0, 2, 1), 9).into(), (Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1), 9).into()];
    let own = |far: SocketAddr| {
        let any = if far.is_ipv4() {
            SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0))
        } else {
            (Ipv6Addr::UNSPECIFIED, 0).into()
        };
        let socket = UdpSocket::bind(any).ok()?;
        socket.connect(far).ok()?;
        let ip = socket.local_addr().ok()?.ip();
        (!ip.is_unspecified() && !ip.is_loopback()).then(|| SocketAddr::new(ip, listen.port()).to_string())
    };
    // One that listens on an IPv4 address alone has no IPv6.
    far.into_iter().filter(|far| listen.is_ipv6() || far.is_ipv4()).filter_map(own).collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn an_address_that_is_named_is_the_one_and_loopback_is_none() {
        assert_eq!(reach("192.168.1.12:9999".parse().unwrap()), ["192.168.1.12:9999"]);
        assert_eq!(reach("127.0.0.1:9999".parse().unwrap()), Vec::<String>::new());
        // What a machine has differs; what it says is an address with our port.
        for found in reach("[::]:7001".parse().unwrap()) {
            let found: SocketAddr = found.parse().unwrap();
            assert!(found.port() == 7001 && !found.ip().is_unspecified() && !found.ip().is_loopback());
        }
        assert!(reach("0.0.0.0:7001".parse().unwrap()).iter().all(|found| !found.starts_with('[')));
    }
}
