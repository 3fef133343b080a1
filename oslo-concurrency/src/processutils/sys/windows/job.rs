//! Job objects: a process and everything that it starts, to be ended at once.

use std::io;
use std::os::windows::io::{AsHandle, AsRawHandle, FromRawHandle, OwnedHandle};
use std::process::Child;

use windows_sys::Win32::Foundation::HANDLE;
use windows_sys::Win32::System::JobObjects::{
    AssignProcessToJobObject, CreateJobObjectW, TerminateJobObject,
};

/// A job. What a process in it starts is in it as well, and cannot leave.
#[derive(Debug)]
pub(super) struct Job(OwnedHandle);

impl Job {
    /// A job with `child` in it, which was created suspended and runs from now on. So it has
    /// started nothing yet.
    ///
    /// # Errors
    /// The child is still suspended then.
    pub(super) fn of_suspended(child: &Child) -> io::Result<Self> {
        // SAFETY: no attributes and no name; the result is checked.
        let job = unsafe { CreateJobObjectW(std::ptr::null(), std::ptr::null()) };
        if job.is_null() {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: the system has just made this handle, and no other code knows it.
        let job = Job(unsafe { OwnedHandle::from_raw_handle(job) });
        let process: HANDLE = child.as_handle().as_raw_handle();
        // SAFETY: both handles are open.
        if unsafe { AssignProcessToJobObject(job.0.as_raw_handle(), process) } == 0 {
            return Err(io::Error::last_os_error());
        }
        resume(process)?;
        Ok(job)
    }

    /// Ends every process of the job.
    pub(super) fn terminate(&self) {
        // SAFETY: the handle is open. It fails only if the job may not be ended, and ours may.
        unsafe { TerminateJobObject(self.0.as_raw_handle(), 1) };
    }
}

#[link(name = "ntdll")]
unsafe extern "system" {
    /// Lets all threads of a process run: the counterpart of `CREATE_SUSPENDED` for who has no
    /// handle of the first thread, which std closes.
    fn NtResumeProcess(process: HANDLE) -> i32;
}

fn resume(process: HANDLE) -> io::Result<()> {
    // SAFETY: the handle is open and, as our child's, has every access right.
    match unsafe { NtResumeProcess(process) } {
        0.. => Ok(()),
        status => Err(io::Error::other(format!(
            "the process cannot be resumed (NTSTATUS {status:#x})"
        ))),
    }
}
