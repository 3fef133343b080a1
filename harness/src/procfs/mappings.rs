//! Memory of processes (proc_pid_maps(5)).

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::FileExt;

use nix::unistd::{Pid, SysconfVar, sysconf};

/// The first memory of a process that it can write and that others may share, by its name or as
/// `memory` if it has none; `None` if there is none.
pub fn shared_memory(pid: Pid) -> Option<String> {
    shared_in(&fs::read_to_string(format!("/proc/{pid}/maps")).ok()?)
}

/// The addresses of a private mapping of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PrivateFile {
    pub start: u64,
    pub end: u64,
}

/// The private mappings of files into a process.
pub fn private_files(pid: Pid) -> Vec<PrivateFile> {
    let text = fs::read_to_string(format!("/proc/{pid}/maps")).unwrap_or_default();
    text.lines().filter_map(private_file).collect()
}

/// Reads a line such as `7f00-7f01 r-xp 00000000 fe:01 12 /usr/lib/libc.so.6`.
fn private_file(line: &str) -> Option<PrivateFile> {
    let mut words = line.split_ascii_whitespace();
    let (start, end) = words.next()?.split_once('-')?;
    let permissions = words.next()?.as_bytes();
    let inode = words.nth(2)?;
    let is_private = permissions.first() == Some(&b'r') && permissions.get(3) == Some(&b'p');
    (is_private && inode != "0").then_some(PrivateFile {
        start: u64::from_str_radix(start, 16).ok()?,
        end: u64::from_str_radix(end, 16).ok()?,
    })
}

/// The addresses of the pages of a mapping that are in the page table of a process
/// (proc_pid_pagemap(5)).
///
/// # Errors
/// Returns an error if the process is gone or belongs to another user.
pub fn present_pages(pid: Pid, mapping: PrivateFile) -> io::Result<Vec<u64>> {
    const ENTRY: usize = size_of::<u64>();
    const PRESENT: u64 = 1 << 63;
    let size = sysconf(SysconfVar::PAGE_SIZE)?.map_or(4096, i64::cast_unsigned);
    let [first, end] = [mapping.start / size, mapping.end / size];
    let mut entries = vec![0; (end - first) as usize * ENTRY];
    let table = File::open(format!("/proc/{pid}/pagemap"))?;
    table.read_exact_at(&mut entries, first * ENTRY as u64)?;
    let (entries, _) = entries.as_chunks::<ENTRY>();
    let is_present = |entry: &[u8; ENTRY]| u64::from_ne_bytes(*entry) & PRESENT != 0;
    let pages = (first..end).zip(entries);
    let present = pages.filter(|(_, entry)| is_present(entry));
    Ok(present.map(|(page, _)| page * size).collect())
}

fn shared_in(text: &str) -> Option<String> {
    text.lines().find_map(|line| {
        let mut words = line.split_ascii_whitespace();
        let permissions = words.nth(1)?.as_bytes();
        let is_shared = permissions.get(1) == Some(&b'w') && permissions.get(3) == Some(&b's');
        is_shared.then(|| words.nth(3).unwrap_or("memory").to_owned())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mapping_of_a_file_is_told_from_other_memory() {
        let code = "7f00-7f01 r-xp 00000000 fe:01 12   /usr/lib/libc.so.6";
        let (start, end) = (0x7f00, 0x7f01);
        assert_eq!(private_file(code), Some(PrivateFile { start, end }));
        for other in [
            "7f00-7f01 rw-p 00000000 00:00 0   [heap]",
            "7f00-7f01 ---p 00000000 fe:01 12  /usr/lib/libc.so.6",
            "7f00-7f01 r--s 00000000 fe:01 12  /usr/lib/gconv-modules.cache",
        ] {
            assert_eq!(private_file(other), None, "{other}");
        }
    }

    #[test]
    fn the_page_of_this_function_is_present() {
        let code = the_page_of_this_function_is_present as fn() as usize as u64;
        let is_inside = |mapping: &PrivateFile| (mapping.start..mapping.end).contains(&code);
        let own = Pid::this();
        let mapping = private_files(own).into_iter().find(is_inside).unwrap();
        let present = present_pages(own, mapping).unwrap();
        assert!(
            present
                .iter()
                .any(|page| (*page..page + 65536).contains(&code))
        );
    }

    #[test]
    fn only_memory_that_is_written_and_shared_counts() {
        let private = "7f00-7f01 rw-p 00000000 fe:01 12 /usr/lib/libc.so.6\n\
                       7f02-7f03 r--s 00000000 fe:01 13 /usr/lib/gconv-modules.cache\n\
                       7f04-7f05 rw-p 00000000 00:00 0\n";
        assert_eq!(shared_in(private), None);
        let shared = format!("{private}7f06-7f07 rw-s 00000000 00:01 4 /dev/shm/lock\n");
        assert_eq!(shared_in(&shared).as_deref(), Some("/dev/shm/lock"));
        let nameless = format!("{private}7f06-7f07 -w-s 00000000 00:01 4\n");
        assert_eq!(shared_in(&nameless).as_deref(), Some("memory"));
    }
}
