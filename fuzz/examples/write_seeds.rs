//! Writes the seeds for libFuzzer: `fuzz/seeds/TARGET/NUMBER`, all of them anew.

use std::fs;
use std::path::Path;

fn main() -> std::io::Result<()> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("seeds");
    for (number, (target, bytes)) in muster_fuzz::seeds::seeds().into_iter().enumerate() {
        let folder = folder.join(target);
        fs::create_dir_all(&folder)?;
        fs::write(folder.join(number.to_string()), bytes)?;
    }
    Ok(())
}
