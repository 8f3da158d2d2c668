//! The memory of a process that holds keys stays in it.

use std::io;

use rustix::process::{Resource, Rlimit, setrlimit};

/// From here on this process leaves no core dump: a crash would write every key that it holds to a file.
///
/// On Linux the process is not dumpable either (`PR_SET_DUMPABLE`): a collector at the end of a pipe, such as
/// systemd-coredump or apport, is given the dump whatever the limit says. Nor can another process of the same user read
/// its memory or attach a debugger; root can.
///
/// # Errors
/// The system refuses one of the two, such as below a filter of system calls. The other one counts all the same.
pub fn forbid_core_dumps() -> io::Result<()> {
    let nothing = Rlimit {
        current: Some(0),
        maximum: Some(0),
    };
    let limited = setrlimit(Resource::Core, nothing);
    #[cfg(target_os = "linux")]
    rustix::process::set_dumpable_behavior(rustix::process::DumpableBehavior::NotDumpable)?;
    Ok(limited?)
}

#[cfg(test)]
mod tests {
    #[cfg(target_os = "linux")]
    #[test]
    fn a_process_that_holds_keys_has_no_core_dump_by_limit_nor_by_pipe() {
        use rustix::process::{DumpableBehavior, Resource, dumpable_behavior, getrlimit};

        super::forbid_core_dumps().unwrap();
        let limit = getrlimit(Resource::Core);
        assert_eq!((limit.current, limit.maximum), (Some(0), Some(0)));
        assert_eq!(dumpable_behavior().unwrap(), DumpableBehavior::NotDumpable);
    }
}
