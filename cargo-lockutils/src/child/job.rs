//! Job objects: a command and everything that it starts.

use std::io;
use std::mem::size_of;
use std::os::windows::io::{AsHandle, AsRawHandle, FromRawHandle, OwnedHandle};
use std::process::Child;
use std::ptr;

use windows_sys::Win32::Foundation::HANDLE;
use windows_sys::Win32::System::JobObjects::{
    AssignProcessToJobObject, CreateJobObjectW, JOB_OBJECT_LIMIT_BREAKAWAY_OK,
    JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE, JOBOBJECT_BASIC_ACCOUNTING_INFORMATION,
    JOBOBJECT_EXTENDED_LIMIT_INFORMATION, JobObjectBasicAccountingInformation,
    JobObjectExtendedLimitInformation, QueryInformationJobObject, SetInformationJobObject,
    TerminateJobObject,
};

/// A job that ends with this process, whose handle is the only one. What a process in it starts is
/// in it as well, unless it is started with `CREATE_BREAKAWAY_FROM_JOB`, as a daemon is.
#[derive(Debug)]
pub struct Job(OwnedHandle);

impl Job {
    pub fn new() -> io::Result<Self> {
        // SAFETY: no attributes, so that nothing inherits the handle, and no name.
        let job = unsafe { CreateJobObjectW(ptr::null(), ptr::null()) };
        if job.is_null() {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: the system has just made this handle, and no other code knows it.
        let job = Job(unsafe { OwnedHandle::from_raw_handle(job) });
        let mut limits = JOBOBJECT_EXTENDED_LIMIT_INFORMATION::default();
        limits.BasicLimitInformation.LimitFlags =
            JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE | JOB_OBJECT_LIMIT_BREAKAWAY_OK;
        // SAFETY: the structure is the one of this class, and lives during the call.
        checked(unsafe {
            SetInformationJobObject(
                job.0.as_raw_handle(),
                JobObjectExtendedLimitInformation,
                (&raw const limits).cast(),
                size_of::<JOBOBJECT_EXTENDED_LIMIT_INFORMATION>() as u32,
            )
        })?;
        Ok(job)
    }

    /// Puts `child` into the job, which was created suspended, and lets it run. So it has started
    /// nothing yet.
    ///
    /// # Errors
    /// The child is still suspended then.
    pub fn start(&self, child: &Child) -> io::Result<()> {
        let process: HANDLE = child.as_handle().as_raw_handle();
        // SAFETY: both handles are open.
        checked(unsafe { AssignProcessToJobObject(self.0.as_raw_handle(), process) })?;
        // SAFETY: the handle is open and, as our child's, has every access right.
        match unsafe { NtResumeProcess(process) } {
            0.. => Ok(()),
            status => Err(io::Error::other(format!(
                "the process cannot be resumed (NTSTATUS {status:#x})"
            ))),
        }
    }

    /// Number of processes in the job that have not ended.
    pub fn processes(&self) -> io::Result<u32> {
        let mut information = JOBOBJECT_BASIC_ACCOUNTING_INFORMATION::default();
        // SAFETY: the structure is the one of this class, and lives during the call; the length is
        // not asked for.
        checked(unsafe {
            QueryInformationJobObject(
                self.0.as_raw_handle(),
                JobObjectBasicAccountingInformation,
                (&raw mut information).cast(),
                size_of::<JOBOBJECT_BASIC_ACCOUNTING_INFORMATION>() as u32,
                ptr::null_mut(),
            )
        })?;
        Ok(information.ActiveProcesses)
    }

    /// Ends every process of the job.
    pub fn terminate(&self, status: u32) {
        // SAFETY: the handle is open.
        unsafe { TerminateJobObject(self.0.as_raw_handle(), status) };
    }
}

fn checked(done: i32) -> io::Result<()> {
    match done {
        0 => Err(io::Error::last_os_error()),
        _ => Ok(()),
    }
}

#[link(name = "ntdll")]
unsafe extern "system" {
    /// Lets all threads of a process run: the counterpart of `CREATE_SUSPENDED` for who has no
    /// handle of the first thread, which std closes.
    fn NtResumeProcess(process: HANDLE) -> i32;
}
