//! What a process costs, as the kernel says it in `/proc` (`proc_pid_stat(5)`,
//! `proc_pid_status(5)`): the CPU time of all its threads and its memory. Linux only.
//!
//! CPU time comes in ticks for a process that may have had more threads than it has now, and in
//! nanoseconds for the threads that there are.

/// What a process has used since it started, and holds now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// CPU time outside the kernel, in microseconds, in steps of one tick (10 ms).
    pub user_micros: u64,
    /// CPU time within the kernel, likewise.
    pub system_micros: u64,
    /// CPU time of the threads that there are, of both kinds together and without steps
    /// (`/proc/PID/task/*/schedstat`); 0 where the kernel does not count it.
    pub threads_nanos: u64,
    /// Memory held now (`VmRSS`).
    pub resident_bytes: u64,
    /// The most memory ever held (`VmHWM`).
    pub resident_peak_bytes: u64,
}

impl Usage {
    /// Reads what a process has used.
    pub fn of(pid: u32) -> Result<Usage, String> {
        let read = |name: &str| {
            let path = format!("/proc/{pid}/{name}");
            std::fs::read_to_string(&path).map_err(|error| {
                format!("{path}: {error}; is {pid} the number of a process on this host?")
            })
        };
        let unread = || format!("/proc/{pid}: not what proc_pid_stat(5) describes");
        let (user_micros, system_micros) = parse_stat(&read("stat")?).ok_or_else(unread)?;
        let status = read("status")?;
        let bytes = |name| parse_status(&status, name).ok_or_else(unread);
        Ok(Usage {
            user_micros,
            system_micros,
            threads_nanos: threads_nanos(pid).unwrap_or(0),
            resident_bytes: bytes("VmRSS:")?,
            resident_peak_bytes: bytes("VmHWM:")?,
        })
    }

    /// What it has used since then, and holds now.
    #[must_use]
    pub fn since(self, before: Usage) -> Usage {
        Usage {
            user_micros: self.user_micros.saturating_sub(before.user_micros),
            system_micros: self.system_micros.saturating_sub(before.system_micros),
            threads_nanos: self.threads_nanos.saturating_sub(before.threads_nanos),
            ..self
        }
    }

    /// All CPU time, in microseconds.
    #[must_use]
    pub fn cpu_micros(&self) -> u64 {
        self.user_micros + self.system_micros
    }
}

/// What all threads of a process have used, in nanoseconds.
fn threads_nanos(pid: u32) -> Option<u64> {
    let tasks = std::fs::read_dir(format!("/proc/{pid}/task")).ok()?;
    let nanos = tasks.map(|task| {
        let text = std::fs::read_to_string(task.ok()?.path().join("schedstat")).ok()?;
        text.split(' ').next()?.parse::<u64>().ok()
    });
    nanos.sum()
}

/// User and system time in the text of `/proc/PID/stat`, in microseconds.
fn parse_stat(text: &str) -> Option<(u64, u64)> {
    // The name of the program stands in parentheses and may hold anything, these too.
    let (_, fields) = text.rsplit_once(") ")?;
    let mut times = fields.split(' ').skip(11).map(str::parse::<u64>);
    let micros = |ticks: u64| ticks * 1_000_000 / rustix::param::clock_ticks_per_second();
    Some((micros(times.next()?.ok()?), micros(times.next()?.ok()?)))
}

/// A line of `/proc/PID/status` that has kilobytes, in bytes.
fn parse_status(text: &str, name: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    Some(line.trim().strip_suffix(" kB")?.parse::<u64>().ok()? * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_found_behind_any_name() {
        let stat = "42 (a) b (c) S 1 42 42 0 -1 4194304 900 0 3 0 150 250 0 0 20 0 5 0 1 2 3\n";
        assert_eq!(parse_stat(stat), Some((1_500_000, 2_500_000)));
        assert_eq!(parse_stat("42 (a) S 1 2"), None);
    }

    #[test]
    fn memory_is_found_by_the_name_of_its_line() {
        let status = "Name:\tmuster\nVmHWM:\t   2048 kB\nVmRSS:\t    7 kB\n";
        assert_eq!(parse_status(status, "VmHWM:"), Some(2_097_152));
        assert_eq!(parse_status(status, "VmRSS:"), Some(7168));
        assert_eq!(parse_status(status, "VmSwap:"), None);
    }

    #[test]
    fn this_process_holds_memory_and_no_process_has_the_number_0() {
        let usage = Usage::of(std::process::id()).expect("it runs");
        assert!(usage.resident_bytes > 0 && usage.resident_peak_bytes > 0, "{usage:?}");
        let is_counted = std::path::Path::new("/proc/self/schedstat").exists();
        assert_eq!(usage.threads_nanos > 0, is_counted, "{usage:?}");
        let error = Usage::of(0).expect_err("no process");
        assert!(error.starts_with("/proc/0/stat: ") && error.ends_with("on this host?"), "{error}");
    }
}
