//! Where others reach this machine: its own addresses, those of the home and office first.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};

/// Addresses that are told at most.
const ADDRESSES_MAX: usize = 8;

/// What others can dial, with the port, where we listen at `listen`. Blocking.
pub(super) fn reachable(listen: SocketAddr) -> Vec<String> {
    let own = if listen.ip().is_unspecified() { of_machine() } else { vec![listen.ip()] };
    // a socket that is bound to all of IPv4 hears no IPv6
    let own = own.into_iter().filter(|ip| listen.is_ipv6() || ip.is_ipv4());
    let mut own: Vec<IpAddr> = own.filter(|ip| !ip.is_loopback() && !ip.is_unspecified()).collect();
    own.sort_by_key(|ip| (rank(ip), *ip));
    own.dedup();
    own.into_iter().take(ADDRESSES_MAX).map(|ip| SocketAddr::new(ip, listen.port()).to_string()).collect()
}

/// What the others of a home or an office use comes first.
fn rank(ip: &IpAddr) -> u8 {
    match ip {
        IpAddr::V4(ip) if ip.is_private() => 0,
        IpAddr::V6(ip) if ip.is_unique_local() => 1,
        IpAddr::V4(_) => 2,
        IpAddr::V6(_) => 3,
    }
}

#[cfg(target_os = "linux")]
fn of_machine() -> Vec<IpAddr> {
    let read = |path| std::fs::read_to_string(path).unwrap_or_default();
    let mut own = listed(&read("/proc/net/fib_trie"), &read("/proc/net/if_inet6"));
    own.extend(routed());
    own
}

#[cfg(not(target_os = "linux"))]
fn of_machine() -> Vec<IpAddr> {
    routed()
}

/// The kernel's lists. In the first an address of this machine stands above `/32 host LOCAL`; the second has a line each:
/// 32 hexadecimal digits, interface, prefix, scope, flags, name.
#[cfg(any(target_os = "linux", test))]
fn listed(fib_trie: &str, if_inet6: &str) -> Vec<IpAddr> {
    let mut own = Vec::new();
    let mut above = None;
    for line in fib_trie.lines() {
        if let Some(address) = line.trim_start().strip_prefix("|-- ") {
            above = address.parse::<Ipv4Addr>().ok();
        } else if line.contains("/32 host LOCAL") {
            own.extend(above.take().map(IpAddr::V4));
        }
    }
    for line in if_inet6.lines() {
        let digits = line.split_whitespace().next().and_then(|digits| u128::from_str_radix(digits, 16).ok());
        // an address of the link alone needs the name of an interface, which is another one on the other side
        let address = digits.map(Ipv6Addr::from).filter(|address| !address.is_unicast_link_local());
        own.extend(address.map(IpAddr::V6));
    }
    own
}

/// The addresses that packets to the networks of homes, offices and the world would leave with. Nothing is sent.
fn routed() -> Vec<IpAddr> {
    let ask = |(from, to): (&str, &str)| {
        let socket = UdpSocket::bind(from).ok()?;
        socket.connect(to).ok()?;
        socket.local_addr().ok().map(|address| address.ip())
    };
    let v4 = ["192.168.0.1:9", "10.0.0.1:9", "172.16.0.1:9", "192.0.2.1:9"].map(|to| ("0.0.0.0:0", to));
    let v6 = ["[fd00::1]:9", "[2001:db8::1]:9"].map(|to| ("[::]:0", to));
    v4.into_iter().chain(v6).filter_map(ask).collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use super::*;

    #[test]
    fn the_kernels_lists_are_read() {
        let trie = "Local:\n  +-- 0.0.0.0/0 3 0 5\n     |-- 0.0.0.0\n        /0 universe UNICAST\n           |-- 127.0.0.1\n\
                    \x20             /32 host LOCAL\n           |-- 192.168.7.0\n              /24 link UNICAST\n\
                    \x20          |-- 192.168.7.2\n              /32 host LOCAL\n";
        let six = "fd000000000000000000000000000002 04 40 00 82     eth0\n\
                   fe8000000000000000fc00fffe000001 04 40 20 80     eth0\nnonsense\n";
        let own: Vec<String> = listed(trie, six).iter().map(ToString::to_string).collect();
        assert_eq!(own, ["127.0.0.1", "192.168.7.2", "fd00::2"]);
    }

    #[test]
    fn private_ones_come_first_and_the_loopback_not_at_all() {
        let mut all: Vec<IpAddr> =
            ["2001:db8::1", "203.0.113.9", "fd00::1", "192.168.1.2"].map(|text| text.parse().unwrap()).to_vec();
        all.sort_by_key(|ip| (rank(ip), *ip));
        assert_eq!(all[0].to_string(), "192.168.1.2");
        assert_eq!(all[3].to_string(), "2001:db8::1");
        assert!(reachable("127.0.0.1:9999".parse().unwrap()).is_empty());
        assert_eq!(reachable("192.168.1.2:9999".parse().unwrap()), ["192.168.1.2:9999"]);
        for address in reachable("[::]:7".parse().unwrap()) {
            let address: SocketAddr = address.parse().unwrap();
            assert!(address.port() == 7 && !address.ip().is_loopback());
        }
        assert!(reachable("0.0.0.0:7".parse().unwrap()).iter().all(|address| !address.contains('[')));
    }
}
