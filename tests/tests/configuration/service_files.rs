//! Files of services: we and oslo.config read the same values from them.

use lockutils_tests::conversation::Conversation;
use lockutils_tests::python;

use crate::{configuration, process};

/// The file as Debian and DevStack write it, shortened.
const NOVA: &str = "\
[DEFAULT]
# The top-level directory for maintaining nova's state (string value)
#state_path = $pybasedir
state_path = /var/lib/nova
my_ip = 192.0.2.10
instances_path = $state_path/instances
transport_url = rabbit://openstack:se%cret$$1@controller:5672/
enabled_apis = osapi_compute,
  metadata
log_dir: /var/log/nova

[api_database]
connection = sqlite:////var/lib/nova/nova_api.sqlite

[libvirt]
virt_type = qemu
; lock_path = /not/this

[oslo_concurrency]

#
# From oslo.concurrency
#

# Enables or disables inter-process locks. (boolean value)
#disable_process_locking = false

# Directory to use for lock files. (string value)
lock_path = /var/lock/nova
lock_path = $state_path/tmp

[oslo_messaging_rabbit]
lock_path = /nor/this
";

const NEUTRON: &str = "\
[DEFAULT]
core_plugin = ml2
state_path = /var/lib/neutron
[agent]
root_helper = sudo /usr/bin/neutron-rootwrap /etc/neutron/rootwrap.conf
[oslo_concurrency]
lock_path = ${state_path}/lock
";

/// The lock path that oslo.config reads from a file, or `none`, or `error …`.
fn oslo_config() -> Conversation {
    let mut command = python::script("oslo_config_reader.py");
    command.env_remove("OSLO_LOCK_PATH");
    Conversation::start(command)
}

#[test]
fn ours_reads_what_oslo_config_reads() {
    let directory = tempfile::tempdir().unwrap();
    let section = |text: &str| format!("[DEFAULT]\nstate_path = /s\n[oslo_concurrency]\n{text}\n");
    let mut files: Vec<(String, &str)> = vec![
        (NOVA.into(), "/var/lib/nova/tmp"),
        (NOVA.replace('\n', "\r\n"), "/var/lib/nova/tmp"),
        (NEUTRON.into(), "/var/lib/neutron/lock"),
        ("[Oslo_Concurrency]\nlock_path=/a".into(), "/a"),
        (
            "[oslo_concurrency]\nlock_path=/a\n[x]\n[oslo_concurrency]\nlock_path=/b".into(),
            "/b",
        ),
        ("[DEFAULT]\nlock_path = /a\n".into(), "none"),
        (String::new(), "none"),
    ];
    for (text, value) in [
        ("lock_path = '/a b'", "/a b"),
        ("lock_path = \"/a\" # b", "\"/a\" # b"),
        ("lock_path : /a=b", "/a=b"),
        ("lock_path = /a:b", "/a:b"),
        ("lock_path = /$$a/\\$b", "/$a/$b"),
        ("lock_path = $state_path", "/s"),
        (
            "lock_path = $paths.state/x\n[paths]\nstate = $state_path/p",
            "/s/p/x",
        ),
        ("lock_path = ${state_path}x$", "/sx$"),
        ("lock_path = $base/x\n[base]\nlock_path = no", "/b/x"),
        ("lock_path =\n", "none"),
        // Values that both reject.
        ("lock_path = $lock_path/x", "error"),
        ("lock_path = $nobody_sets_this/x", "error"),
        ("lock_path = $DEFAULT.state_path/x", "error"),
        ("lock_path = /a\n[", "error"),
        ("lock_path = /a\n[]", "error"),
        ("lock_path = /a\nnonsense", "error"),
        ("lock_path = /a\n= 1", "error"),
        ("# c\n  lock_path = /a", "error"),
    ] {
        files.push((
            section(text).replace("[DEFAULT]", "[DEFAULT]\nbase = /b"),
            value,
        ));
    }
    files.push(("lock_path = /a\n[oslo_concurrency]\n".into(), "error"));
    let mut python = oslo_config();
    for (text, expected) in files {
        let file = configuration(directory.path(), text.as_bytes());
        let mut ours = process("");
        let answer = match ours.ask(&format!("configure {file}")) {
            answer if answer == "done" => ours.ask("lock-path"),
            error => error,
        };
        let theirs = python.ask(&file);
        for (who, answer) in [("ours", answer), ("oslo.config", theirs)] {
            let is_as_expected = match expected {
                "error" => answer.starts_with("error"),
                value => answer == value,
            };
            assert!(
                is_as_expected,
                "{who} reads {answer:?}, not {expected:?}, in:\n{text}"
            );
        }
    }
}

#[test]
fn errors_name_the_file_the_line_and_the_next_step() {
    let directory = tempfile::tempdir().unwrap();
    let mut process = process("");
    let mut error = |text: &[u8]| {
        let file = configuration(directory.path(), text);
        let answer = process.ask(&format!("configure {file}"));
        assert!(answer.contains("service.conf"), "{answer}");
        answer
    };
    for (text, words) in [
        (
            "[oslo_concurrency]\nlock_path = $state_path/tmp\n",
            &["line 2", "$state_path", "set state_path in [DEFAULT]"][..],
        ),
        (
            "[DEFAULT]\na = $b\nb = $a\n[oslo_concurrency]\nlock_path = $a\n",
            &["line 5", "leads back to $a"],
        ),
        ("[DEFAULT]\nlock path\n", &["line 2", "neither a section"]),
    ] {
        let answer = error(text.as_bytes());
        for word in words {
            assert!(answer.contains(word), "no `{word}` in: {answer}");
        }
    }
    let answer = error(b"[oslo_concurrency]\nlock_path = /\xff\n");
    assert!(answer.contains("cannot be read"), "{answer}");
    let answer = process.ask("configure /no/such/service.conf");
    assert!(answer.contains("No such file"), "{answer}");
}

#[test]
fn a_byte_order_mark_is_passed_over() {
    let directory = tempfile::tempdir().unwrap();
    let file = configuration(directory.path(), format!("\u{feff}{NOVA}").as_bytes());
    let mut process = process("");
    assert_eq!(process.ask(&format!("configure {file}")), "done");
    assert_eq!(process.ask("lock-path"), "/var/lib/nova/tmp");
}
