//! A program whose standard output is the keyring, for agents of key management systems.

use std::cell::Cell;
use std::ffi::OsStr;
use std::io::{ErrorKind, Read};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process_group, waitid};
use zeroize::Zeroizing;

use super::text::{self, MAX_BYTES};
use crate::pg::process;
use crate::pg::wait::Wait;

/// How long the program may take.
const TIME_LIMIT: Duration = Duration::from_secs(10);
/// How often a cancelled query is checked for meanwhile.
const TICK: Duration = Duration::from_millis(100);

thread_local! {
    /// The process group of the command that is running.
    static GROUP: Cell<Option<Pid>> = const { Cell::new(None) };
}

/// Ends everything that the command has started, except processes that have left its group.
fn end_group() {
    if let Some(group) = GROUP.take() {
        let _ = kill_process_group(group, Signal::KILL);
    }
}

/// The shell that runs the command. It and its group do not outlive this value, nor the backend.
struct Running(Child);

impl Running {
    fn start(command: &mut Command) -> std::io::Result<Running> {
        process::at_exit(end_group);
        process::kill_with_parent(command);
        let shell = command.process_group(0).spawn()?;
        GROUP.set(Some(Pid::from_child(&shell)));
        Ok(Running(shell))
    }

    /// Whether the shell has ended. It stays a zombie, so that no other process gets its id, which is
    /// that of its group.
    fn has_ended(&self) -> std::io::Result<bool> {
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
        Ok(waitid(WaitId::Pid(Pid::from_child(&self.0)), options)?.is_some())
    }

    /// Ends what the shell has left running and returns its own exit status.
    fn status(mut self) -> std::io::Result<ExitStatus> {
        end_group();
        self.0.wait()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        end_group();
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Runs the command in a shell and returns its output. The reason of a failure contains none of it.
pub fn output(command: &OsStr) -> Result<Zeroizing<Vec<u8>>, String> {
    let failed = |error: std::io::Error| format!("sso_attr.key_command cannot be run: {}.", error.kind());
    let mut shell = Command::new("/bin/sh");
    shell.arg("-c").arg(command).stdin(Stdio::null()).stdout(Stdio::piped());
    let mut running = Running::start(&mut shell).map_err(failed)?;
    let Some(mut stdout) = running.0.stdout.take() else {
        return Err("sso_attr.key_command has no output.".into());
    };
    let deadline = Instant::now() + TIME_LIMIT;
    let mut text = text::buffer(MAX_BYTES)?;
    let mut chunk = Zeroizing::new([0u8; 4096]);
    loop {
        pgrx::check_for_interrupts!();
        if Instant::now() >= deadline {
            return Err(format!("sso_attr.key_command took longer than {} seconds.", TIME_LIMIT.as_secs()));
        }
        let tick = Timespec { tv_sec: 0, tv_nsec: TICK.subsec_nanos().into() };
        let mut output = [PollFd::new(&stdout, PollFlags::IN)];
        match Wait::KeyCommand.during(|| poll(&mut output, Some(&tick))) {
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
    exit(running, deadline)?;
    Ok(text)
}

/// Waits for the shell to end after its output has.
fn exit(running: Running, deadline: Instant) -> Result<(), String> {
    let unknown =
        |error: std::io::Error| format!("sso_attr.key_command cannot be waited for: {}.", error.kind());
    while !running.has_ended().map_err(unknown)? {
        pgrx::check_for_interrupts!();
        if Instant::now() >= deadline {
            return Err("sso_attr.key_command closed its output but did not end.".into());
        }
        Wait::KeyCommand.during(|| std::thread::sleep(TICK / 10));
    }
    match running.status().map_err(unknown)? {
        status if status.success() => Ok(()),
        status => Err(format!("sso_attr.key_command failed with {status}.")),
    }
}
