//! How fast `muster create` makes a torrent of one large file, against what bounds it.
//!
//! In each round each way is taken once, one after the other, on as many threads as there are
//! cores, and the medians over the rounds are printed, with those of each round's ratios, so that
//! what else the machine does hits all alike; beside the time, that of all processors, which a busy
//! machine changes less. The bounds: SHA-1 of as many bytes from memory, with
//! the same crate, and reading the same file as muster does without hashing it. mktorrent runs with
//! the same threads and pieces, where it is installed. First with the file in the page cache, then
//! with it put out of there before each way. Linux only.
//!
//! `cargo bench --bench create -- 2GiB 5`: the size of the file and the number of rounds.

use std::fs::File;
use std::io::Write as _;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use muster::limits::{CONTENT_READ_BYTES, CONTENT_RUN_BYTES};
use rustix::fs::{Advice, fadvise};
use sha1::{Digest as _, Sha1};

const MIB: u64 = 1024 * 1024;

/// A folder with the file, removed on drop.
struct Folder(PathBuf);

impl Folder {
    fn new(bytes: u64) -> Folder {
        let path = std::env::temp_dir().join(format!("muster-bench-create-{}", std::process::id()));
        std::fs::create_dir(&path).expect("the temporary folder is ours to write");
        let folder = Folder(path);
        let mut file = File::create(folder.file()).expect("ours");
        let mut random = fastrand::Rng::with_seed(1);
        let mut chunk = vec![0; MIB as usize];
        for _ in 0..bytes / MIB {
            random.fill(&mut chunk);
            file.write_all(&chunk).expect("room for the file");
        }
        file.sync_all().expect("a disk");
        folder
    }

    fn file(&self) -> PathBuf {
        self.0.join("film")
    }

    /// Puts the file out of the page cache.
    fn forget(&self) {
        let file = File::open(self.file()).expect("ours");
        fadvise(&file, 0, None, Advice::DontNeed).expect("Linux takes the advice");
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// One way to spend time on the file.
struct Way<'a> {
    name: &'static str,
    take: Box<dyn Fn() + 'a>,
}

fn run(program: &str, folder: &Path, arguments: &[&str]) {
    let mut command = Command::new(program);
    let status =
        command.current_dir(folder).args(arguments).stdout(Stdio::null()).status().expect(program);
    assert!(status.success(), "{program}: {status}");
}

/// Hashes as many bytes from memory, a buffer again and again.
fn hash_memory(bytes: u64, threads: u64) {
    let buffer = vec![7; CONTENT_READ_BYTES];
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                let mut sha1 = Sha1::new();
                for _ in 0..bytes / threads / CONTENT_READ_BYTES as u64 {
                    sha1.update(&buffer);
                }
                std::hint::black_box(sha1.finalize());
            });
        }
    });
}

/// Reads the file in runs, as muster does.
fn read_file(path: &Path, bytes: u64, threads: u64) {
    let next = AtomicU64::new(0);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                let file = File::open(path).expect("ours");
                let mut buffer = vec![0; CONTENT_READ_BYTES];
                loop {
                    let start = next.fetch_add(CONTENT_RUN_BYTES, Ordering::Relaxed);
                    if start >= bytes {
                        return;
                    }
                    for at in
                        (start..bytes.min(start + CONTENT_RUN_BYTES)).step_by(CONTENT_READ_BYTES)
                    {
                        file.read_exact_at(&mut buffer, at).expect("the file stays");
                    }
                    std::hint::black_box(&buffer);
                }
            });
        }
    });
}

/// Seconds that all processors have spent on this process and on those it has waited for.
fn cpu_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").expect("Linux");
    // Behind the name in brackets, which may hold anything: user and system time, own and waited
    // for, are fields 14 to 17 of proc(5), in hundredths of a second.
    let (_, fields) = stat.rsplit_once(") ").expect("a name in brackets");
    let times = fields.split(' ').skip(11).take(4);
    let ticks: u32 = times.map(|ticks| ticks.parse::<u32>().expect("a number")).sum();
    f64::from(ticks) / 100.0
}

/// What a way has taken, in seconds.
struct Taken {
    wall: f64,
    cpu: f64,
}

fn median(mut numbers: Vec<f64>) -> f64 {
    numbers.sort_by(f64::total_cmp);
    numbers[numbers.len() / 2]
}

/// What each way takes, by round; `before` is done before each.
fn measure(ways: &[Way<'_>], rounds: usize, before: impl Fn()) -> Vec<Vec<Taken>> {
    let round = |_| {
        let taken = ways.iter().map(|way| {
            before();
            let (start, cpu) = (Instant::now(), cpu_seconds());
            (way.take)();
            Taken { wall: start.elapsed().as_secs_f64(), cpu: cpu_seconds() - cpu }
        });
        taken.collect()
    };
    (0..rounds).map(round).collect()
}

/// Prints the medians of the ways, and of what the first takes for each second of another.
fn report(title: &str, ways: &[Way<'_>], rounds: &[Vec<Taken>], bytes: u64) {
    println!("{title}");
    let of = |number: &dyn Fn(&Vec<Taken>) -> f64| median(rounds.iter().map(number).collect());
    for (nth, way) in ways.iter().enumerate() {
        let (wall, cpu) = (of(&|round| round[nth].wall), of(&|round| round[nth].cpu));
        let rate = f64::from((bytes / 1_000_000) as u32) / wall;
        let ratio = of(&|round| round[0].wall / round[nth].wall);
        let cpu_ratio = of(&|round| round[0].cpu / round[nth].cpu);
        println!(
            "  {:<18} {wall:>7.3} s {rate:>6.0} MB/s, {cpu:>6.2} s of processors; muster takes \
             {ratio:.2} and {cpu_ratio:.2} of that",
            way.name
        );
    }
    let bound = of(&|round| round[0].wall / round[1].wall.max(round[2].wall));
    println!("  of the slower of SHA-1 and reading muster takes {bound:.2}");
}

fn main() {
    // Cargo puts `--bench` behind ours.
    let mut arguments = std::env::args().skip(1).filter(|argument| argument != "--bench");
    let size = arguments.next().unwrap_or_else(|| "2GiB".to_owned());
    let (number, unit) = size.split_at(size.find(char::is_alphabetic).unwrap_or(size.len()));
    let unit = match unit {
        "GiB" => 1024 * MIB,
        "MiB" => MIB,
        _ => panic!("{size}: a size such as 2GiB or 512MiB"),
    };
    let bytes = number.parse::<u64>().expect("a number of GiB or MiB") * unit;
    let rounds = arguments.next().map_or(5, |rounds| rounds.parse().expect("a number of rounds"));
    let threads = std::thread::available_parallelism().map_or(1, usize::from) as u64;

    let folder = Folder::new(bytes);
    let count = threads.to_string();
    let url = "http://tracker.example/announce";
    let ours = ["create", "film", "-f", "-l", "2^19", "-t", &count, "-a", url, "-o", "ours"];
    let theirs = ["-l", "19", "-t", &count, "-a", url, "-o", "theirs", "film"];
    let mut ways = vec![
        Way {
            name: "muster create",
            take: Box::new(|| run(env!("CARGO_BIN_EXE_muster"), &folder.0, &ours)),
        },
        Way { name: "SHA-1 from memory", take: Box::new(|| hash_memory(bytes, threads)) },
        Way { name: "reading alone", take: Box::new(|| read_file(&folder.file(), bytes, threads)) },
    ];
    if Command::new("mktorrent").arg("-h").output().is_ok() {
        let take = || {
            // It replaces nothing.
            let _ = std::fs::remove_file(folder.0.join("theirs"));
            run("mktorrent", &folder.0, &theirs);
        };
        ways.push(Way { name: "mktorrent", take: Box::new(take) });
    } else {
        println!("mktorrent is missing (make test-deps)");
    }
    println!("a file of {size}, {threads} threads, medians of {rounds} rounds, pieces of 512 KiB");
    // Whoever comes first would pay for the first look.
    read_file(&folder.file(), bytes, threads);
    report("in the page cache:", &ways, &measure(&ways, rounds, || ()), bytes);
    report("from the disk:", &ways, &measure(&ways, rounds, || folder.forget()), bytes);
}
