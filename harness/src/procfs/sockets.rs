//! Sockets that listen (proc_pid_net(5)).

use std::fs;
use std::path::Path;

use nix::unistd::Pid;

/// The state `LISTEN` of a TCP socket (include/net/tcp_states.h).
const LISTEN: &str = "0A";

/// The inode of a socket, if the target of a descriptor is one.
pub fn socket_inode(target: &Path) -> Option<u64> {
    let target = target.to_str()?;
    target
        .strip_prefix("socket:[")?
        .strip_suffix(']')?
        .parse()
        .ok()
}

/// The inodes of the sockets that listen on this TCP port, in the network of a process.
pub fn listening(pid: Pid, port: u16) -> Vec<u64> {
    let tables = ["tcp", "tcp6"].map(|table| format!("/proc/{pid}/net/{table}"));
    let texts = tables
        .iter()
        .filter_map(|table| fs::read_to_string(table).ok());
    texts
        .flat_map(|text| parse_listening(&text, port))
        .collect()
}

/// The same, from the text of such a table.
pub fn parse_listening(text: &str, port: u16) -> Vec<u64> {
    let inode = |line: &str| {
        let mut fields = line.split_whitespace();
        let (_, local) = fields.nth(1)?.rsplit_once(':')?;
        let listens = fields.nth(1)? == LISTEN;
        let inode = fields.nth(5)?.parse().ok()?;
        (listens && u16::from_str_radix(local, 16) == Ok(port)).then_some(inode)
    };
    text.lines().filter_map(inode).collect()
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;
    use std::os::fd::AsRawFd;

    use super::*;

    #[test]
    fn a_socket_that_listens_is_found_by_its_port() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let target = crate::procfs::descriptor_target(Pid::this(), listener.as_raw_fd()).unwrap();
        let inode = socket_inode(&target).unwrap();
        assert_eq!(listening(Pid::this(), port), [inode]);
        drop(listener);
        assert!(!listening(Pid::this(), port).contains(&inode));
        assert_eq!(socket_inode(Path::new("pipe:[7]")), None);
    }

    #[test]
    fn lines_of_any_other_form_are_skipped() {
        let line = "   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000  \
                    1000        0 4711 1 0000000000000000 100 0 0 10 0\n";
        assert_eq!(parse_listening(line, 8080), [4711]);
        assert!(parse_listening(line, 8081).is_empty());
        assert!(parse_listening("  sl  local_address rem_address   st", 8080).is_empty());
        assert!(parse_listening(&line.replace(" 0A ", " 01 "), 8080).is_empty());
    }
}
