use super::*;

#[track_caller]
fn masks(message: &str, expected: &str) {
    assert_eq!(mask_password(message), expected);
    assert_eq!(
        mask_password(expected),
        expected,
        "a masked message stays as it is"
    );
}

#[test]
fn command_lines() {
    masks("mysqld --password hunter2 -v", "mysqld --password *** -v");
    masks(
        "mysqld --password \"hunter 2\"",
        "mysqld --password \"***\"",
    );
    masks("mysqld --password=hun^ter2 -v", "mysqld --password=*** -v");
    masks("mysqld --password = 'hunter2'", "mysqld --password = '***'");
    masks(
        "x --os-auth-token abc --db-password1 d",
        "x --os-auth-token *** --db-password1 ***",
    );
    masks(
        "iscsiadm -n node.session.auth.password -v hunter2 -o update",
        "iscsiadm -n node.session.auth.password -v *** -o update",
    );
    masks("curl -u me:hunter2 http://x", "curl -u me:*** http://x");
    masks(
        "curl --user 'me:hunter2' http://x",
        "curl --user 'me:***' http://x",
    );
    masks("docker run -u 1000:1000 x", "docker run -u 1000:1000 x");
    masks(
        "curl -H 'X-Auth-Token: gAAAA' -v",
        "curl -H 'X-Auth-Token: ***' -v",
    );
    masks(
        "curl -H \"Authorization: Bearer abc.def\" -v",
        "curl -H \"Authorization: Bearer ***\" -v",
    );
    masks(
        "git clone https://me:hunter2@host/x",
        "git clone https://me:***@host/x",
    );
    masks("see http://host:80/@x", "see http://host:80/@x");
}

#[test]
fn a_value_that_is_the_name_of_another_hides_nothing() {
    masks("x --password --token hunter2 y", "x --password *** *** y");
    masks(
        "--password \nX-Auth-Token: hunter2\n",
        "--password \n*** ***\n",
    );
    masks(
        "--password\n\"token\": \"hunter2\"",
        "--password\n\"***\": \"***\"",
    );
    masks("--password {'token': 'hunter2'}", "--password ***': '***'}");
    masks("token = token=hunter2", "token = ***");
    assert_eq!(
        mask_password("the \"token:\"\nadmin_pass = \"hunter2\" x"),
        "the \"token:\"***\"***\" x"
    );
    masks(
        "-u \"<\n<token>hunter2</token>\n:x\" y",
        "-u \"<\n<token>***</token>\n:***\" y",
    );
    masks(
        "Authorization: token=hunter2 hunter3",
        "Authorization: token=*** ***",
    );
    masks("--password --user me:hunter2", "--password *** me:***");
    masks(
        "--password Authorization: Bearer hunter2",
        "--password *** Bearer ***",
    );
}

#[test]
fn key_and_value() {
    masks("password=hunter2", "password=***");
    masks("test = password =   hunter2 x", "test = password =   *** x");
    masks("Admin_Pass = \"hunter2\">", "Admin_Pass = \"***\">");
    masks(
        "f(a='', password='my\"word', b=None, token='')",
        "f(a='', password='***', b=None, token='***')",
    );
    masks(
        "private_key = '-----BEGIN\nabc\n-----END', x",
        "private_key = '***', x",
    );
    masks("password = \"never closed", "password = \"***");
    masks("password: hunter2", "password: ***");
}

#[test]
fn json_and_its_relatives() {
    masks(
        r#"{"adminPass": "hunter2", "name": "bob"}"#,
        r#"{"adminPass": "***", "name": "bob"}"#,
    );
    masks(
        "{'original_password' :u'a'b'}",
        "{'original_password' :u'***'}",
    );
    masks(
        r#"{"password": "a\"b", "n": 1}"#,
        r#"{"password": "***", "n": 1}"#,
    );
    masks(r#"{"token": 12345, "n": 1}"#, r#"{"token": ***, "n": 1}"#);
    masks(
        r#"{"changePassword": {"adminPass": "x"}}"#,
        r#"{"changePassword": {"adminPass": "***"}}"#,
    );
    masks(
        r#""{\"password\": \"x\", \"n\": \"y\"}""#,
        r#""{\"password\": \"***\", \"n\": \"y\"}""#,
    );
    masks(
        r#"{"token": null, "n": "x"}"#,
        r#"{"token": null, "n": "x"}"#,
    );
    masks(r#"[:password => "x"]"#, r#"[:password => "***"]"#);
}

#[test]
fn lists_of_arguments() {
    masks(
        "'node.session.auth.password','-v','hunter2','x'",
        "'node.session.auth.password','-v','***','x'",
    );
    masks(
        "[\"--password\", \"hunter2\", \"x\"]",
        "[\"--password\", \"***\", \"x\"]",
    );
    masks(
        "(\"name\", \"password\", \"id\")",
        "(\"name\", \"password\", \"id\")",
    );
    masks(
        "[\"--password=hunter2\", \"x\"]",
        "[\"--password=***\", \"x\"]",
    );
}

#[test]
fn xml() {
    masks(
        "<adminPass>hunter2</adminPass>",
        "<adminPass>***</adminPass>",
    );
    masks(
        "<ns:Password1>\n hunter2\n</ns:Password1>",
        "<ns:Password1>***</ns:Password1>",
    );
    masks(
        "<password><![CDATA[a<b]]></password>",
        "<password>***</password>",
    );
    masks(
        "<rebuild name=\"x\" adminPass=\"hunter2\"/>",
        "<rebuild name=\"x\" adminPass=\"***\"/>",
    );
    masks("<token><id>7</id></token>", "<token><id>7</id></token>");
}

#[test]
fn what_is_no_secret_stays() {
    for message in [
        "",
        "the password",
        "password",
        "passwords are long",
        "keyboard=us",
        "test = \"param1\" : \"value\"",
        "tokenizer=x",
        "héllo",
        "-",
        "--user",
        "-u",
        "://",
        "password=",
        "password:",
    ] {
        assert!(
            matches!(mask_password(message), Cow::Borrowed(_)),
            "{message}"
        );
    }
}

#[test]
fn bytes_that_are_not_text_stay() {
    let masked = mask_password_bytes(b"\x80 password=\"a\xff\" [\x80\xe9\xff]");
    assert_eq!(&*masked, b"\x80 password=\"***\" [\x80\xe9\xff]");
    assert_eq!(
        mask_password("cmd --password mŷ退pass é"),
        "cmd --password *** é"
    );
}

/// Where a thread has a clock of its own, so that other programs do not count.
#[cfg(unix)]
mod time {
    use super::*;
    use nix::time::{ClockId, clock_gettime};

    /// Processor time for masking `length` bytes of each text in which the end of a value is hard to
    /// find.
    fn seconds(length: usize) -> f64 {
        let now =
            || std::time::Duration::from(clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID).unwrap());
        let began = now();
        for piece in [
            "password='",
            "password=\"x",
            "<password><![CDATA[",
            "token ",
            "-u a:",
            "://a:",
            "authorization: a ",
            "'token', '-v', ",
            "password=\\\"",
            "tokentoken",
            "'token': ",
        ] {
            std::hint::black_box(mask_password(&piece.repeat(length / piece.len())));
        }
        (now() - began).as_secs_f64()
    }

    #[test]
    fn time_does_not_grow_with_the_square_of_the_length() {
        let (short, long) = (seconds(6_000), seconds(48_000));
        assert!(
            long < 24.0 * short,
            "8 times the length takes {} times as long",
            long / short
        );
    }
}

mod random {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn any_bytes_are_read_without_a_panic(message in proptest::collection::vec(
            prop_oneof![any::<u8>().prop_map(|byte| vec![byte]), prop_oneof![
                Just("password"), Just("--password "), Just("\""), Just("'"), Just("\\\""),
                Just("="), Just(": "), Just(", "), Just("<"), Just(">"),
                Just("</"), Just("://"), Just("-u "), Just("-v "), Just("authorization: "),
                Just("<![CDATA["),
            ].prop_map(|piece| piece.as_bytes().to_vec())], 0..40,
        )) {
            let message = message.concat();
            let masked = mask_password_bytes(&message);
            prop_assert!(masked.len() <= message.len() + 3 * message.len());
        }

        #[test]
        fn a_named_secret_never_stays(
            name in "(db_|os-|--|)(password|adminPass|auth_token|PRIVATE_KEY|secret)[0-9]?",
            secret in "[A-Za-z0-9^!@#$%&*+/.:;_-]{3,20}", form in 0..6,
        ) {
            let secret = format!("q{secret}q");
            let message = match form {
                0 => format!("run {name}={secret} more"),
                1 => format!("run {name} = \"{secret}\" more"),
                2 => format!("run {{'{name}': '{secret}'}} more"),
                3 => format!("<{name}>{secret}</{name}> more"),
                4 => format!("run --{name} {secret} more"),
                _ => format!("{name}: {secret} more"),
            };
            let masked = mask_password(&message).into_owned();
            prop_assert!(!masked.contains(&secret), "{masked}");
            prop_assert!(masked.ends_with("more"), "{masked}");
        }
    }
}
