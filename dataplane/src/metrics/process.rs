//! The process's own figures, by the names every Prometheus client uses.

use std::fs;

use super::text::Text;

/// Appends what can be read from `/proc/self`; leaves out what cannot.
pub(super) fn render(text: &mut Text<'_>) {
    if let Some(stat) = fs::read_to_string("/proc/self/stat").ok().as_deref().and_then(Stat::parse) {
        let ticks = rustix::param::clock_ticks_per_second() as f64;
        let cpu_s = stat.cpu_ticks as f64 / ticks;
        text.single("process_cpu_seconds_total", "counter", "User and system CPU time.", cpu_s);
        let resident = (stat.resident_pages * rustix::param::page_size() as u64) as f64;
        text.single("process_resident_memory_bytes", "gauge", "Resident memory.", resident);
        text.single("process_threads", "gauge", "Threads.", stat.threads as f64);
        if let Some(boot_s) = boot_time_s() {
            let started_s = boot_s as f64 + stat.start_ticks as f64 / ticks;
            text.single("process_start_time_seconds", "gauge", "Start, since the epoch.", started_s);
        }
    }
    if let Ok(descriptors) = fs::read_dir("/proc/self/fd") {
        // One of them is the directory being read.
        let open = descriptors.count().saturating_sub(1) as f64;
        text.single("process_open_fds", "gauge", "Open file descriptors.", open);
    }
    if let Some(max) = rustix::process::getrlimit(rustix::process::Resource::Nofile).current {
        text.single("process_max_fds", "gauge", "Limit of open file descriptors.", max as f64);
    }
}

/// The fields of `/proc/self/stat` that are of use (proc_pid_stat(5)).
#[derive(Debug, PartialEq, Eq)]
struct Stat {
    cpu_ticks: u64,
    threads: u64,
    start_ticks: u64,
    resident_pages: u64,
}

impl Stat {
    fn parse(line: &str) -> Option<Stat> {
        // The second field is the name in parentheses, which may hold anything.
        let (_, after_name) = line.rsplit_once(')')?;
        let fields: Vec<&str> = after_name.split_ascii_whitespace().collect();
        let field = |number: usize| fields.get(number - 3)?.parse::<u64>().ok();
        Some(Stat {
            cpu_ticks: field(14)? + field(15)?,
            threads: field(20)?,
            start_ticks: field(22)?,
            resident_pages: field(24)?,
        })
    }
}

fn boot_time_s() -> Option<u64> {
    let stat = fs::read_to_string("/proc/stat").ok()?;
    stat.lines().find_map(|line| line.strip_prefix("btime ")?.trim().parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_spaces_and_parentheses_does_not_shift_the_fields() {
        let line =
            "7 (a ) b) S 1 7 7 0 -1 4 90 0 0 0 11 22 0 0 20 0 3 0 555 1000000 321 18446744073709551615";
        let expected = Stat { cpu_ticks: 33, threads: 3, start_ticks: 555, resident_pages: 321 };
        assert_eq!(Stat::parse(line), Some(expected));
        assert_eq!(Stat::parse("7 (x"), None);
    }
}
