//! A program whose standard output is the keyring, for agents of key management systems.

use std::ffi::OsStr;
use std::io::{ErrorKind, Read};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, Signal, kill_process_group};
use zeroize::Zeroizing;

use super::ring::{MAX_BYTES, buffer};

/// How long the program may take.
const PATIENCE: Duration = Duration::from_secs(10);
/// How often a cancelled query is noticed meanwhile.
const TICK: Duration = Duration::from_millis(100);

/// A running program that does not outlive its reader, however that is left.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        if let Ok(None) = self.0.try_wait() {
            if let Some(group) = i32::try_from(self.0.id()).ok().and_then(Pid::from_raw) {
                let _ = kill_process_group(group, Signal::KILL);
            }
            let _ = self.0.wait();
        }
    }
}

/// Runs the command by the shell and returns what it writes. A reason holds none of it.
pub fn output(command: &OsStr) -> Result<Zeroizing<Vec<u8>>, String> {
    let failed = |error: std::io::Error| format!("sso_attr.key_command cannot be run: {}.", error.kind());
    let child = Command::new("/bin/sh")
        .arg("-c")
        .arg(command)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .process_group(0)
        .spawn()
        .map_err(failed)?;
    let mut running = Running(child);
    let Some(mut stdout) = running.0.stdout.take() else {
        return Err("sso_attr.key_command has no output.".into());
    };
    let deadline = Instant::now() + PATIENCE;
    let mut text = buffer();
    let mut chunk = Zeroizing::new([0u8; 4096]);
    loop {
        pgrx::check_for_interrupts!();
        if Instant::now() >= deadline {
            return Err(format!("sso_attr.key_command took longer than {} seconds.", PATIENCE.as_secs()));
        }
        let tick = Timespec { tv_sec: 0, tv_nsec: TICK.subsec_nanos().into() };
        match poll(&mut [PollFd::new(&stdout, PollFlags::IN)], Some(&tick)) {
            Ok(0) | Err(rustix::io::Errno::INTR) => continue,
            Ok(_) => {}
            Err(error) => return Err(failed(error.into())),
        }
        match stdout.read(chunk.as_mut_slice()) {
            Ok(0) => break,
            Ok(count) if (text.len() + count) as u64 > MAX_BYTES => {
                return Err(format!("sso_attr.key_command writes more than {MAX_BYTES} bytes."));
            }
            Ok(count) => text.extend_from_slice(&chunk[..count]),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(failed(error)),
        }
    }
    drop(stdout);
    exit(&mut running, deadline)?;
    Ok(text)
}

/// Waits for the program's end, which follows that of its output.
fn exit(running: &mut Running, deadline: Instant) -> Result<(), String> {
    loop {
        pgrx::check_for_interrupts!();
        match running.0.try_wait() {
            Ok(Some(status)) if status.success() => return Ok(()),
            Ok(Some(status)) => return Err(format!("sso_attr.key_command failed with {status}.")),
            Ok(None) if Instant::now() < deadline => std::thread::sleep(TICK / 10),
            Ok(None) => return Err("sso_attr.key_command closed its output but did not end.".into()),
            Err(error) => {
                return Err(format!("sso_attr.key_command cannot be waited for: {}.", error.kind()));
            }
        }
    }
}
