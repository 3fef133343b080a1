//! Process groups, as the guardian is told of them: a line `gNUMBER` for each.

/// The line for a group.
pub fn line(group: i32) -> String {
    format!("g{group}\n")
}

/// The groups in what was told.
pub fn of(told: &[u8]) -> Vec<i32> {
    let text = String::from_utf8_lossy(told);
    text.split_inclusive('\n')
        // The end of a line that was cut is not known.
        .filter_map(|line| line.strip_prefix('g')?.strip_suffix('\n')?.parse().ok())
        .filter(|&group| group > 1)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_whole_lines_name_a_group() {
        let told = [line(12), line(345)].concat() + "g6";
        assert_eq!(of(told.as_bytes()), [12, 345]);
        assert!(of(b"g1\ng-7\ng0\nx\n.\ng\n").is_empty());
    }
}
