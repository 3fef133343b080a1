//! `#[synchronized]` on callers whose names are those that an expansion is likely to use.

#![allow(non_camel_case_types, non_upper_case_globals, dead_code)]

use ::std::time::Duration;

use oslo_concurrency::lockutils::{self, Error};

const SITE: &str = "the-callers-site";
const guard: u8 = 1;
const error: u8 = 2;
const name: u8 = 3;
const options: u8 = 4;
const __synchronized: u8 = 5;
const __section: u8 = 6;
const __returned: u8 = 7;
const Ok: u8 = 8;
const Err: u8 = 9;
struct __guard;
mod __lock {}
mod core {}
mod std {}

fn is_held(lock: &str) -> bool {
    lockutils::lock(lock).blocking(false).acquire().is_err()
}

#[lockutils::synchronized(SITE)]
fn named_by_a_constant() -> bool {
    is_held(SITE)
}

#[lockutils::synchronized(SITE, timeout = Duration::from_secs(60))]
fn named_by_a_constant_and_timed() -> Result<bool, Error> {
    Result::Ok(is_held(SITE))
}

#[lockutils::synchronized("names-literal")]
fn with_items_in_the_body() -> bool {
    static SITE: u8 = 1;
    const __lock: u8 = 2;
    let _ = SITE + __lock;
    is_held("names-literal")
}

#[lockutils::synchronized("names-option", fair = true)]
fn with_items_in_the_body_and_options() -> bool {
    static SITE: u8 = 1;
    let _ = SITE;
    is_held("names-option")
}

struct Sized<const SITE: usize>;

impl<const SITE: usize> Sized<SITE> {
    #[lockutils::synchronized(&format!("names-{SITE}"))]
    fn of_a_generic_constant(&self) -> bool {
        is_held(&format!("names-{SITE}"))
    }

    #[lockutils::synchronized("names-generic")]
    fn beside_a_generic_constant(&self) -> (bool, usize) {
        (is_held("names-generic"), SITE)
    }

    #[lockutils::synchronized("names-panic", timeout = Duration::from_secs(60), or_panic)]
    fn that_panics(&self) -> (bool, usize) {
        (is_held("names-panic"), SITE)
    }
}

#[lockutils::synchronized(&format!("names-{__oslo_concurrency_site}"))]
fn of_parameters(
    __oslo_concurrency_site: u8,
    __oslo_concurrency_guard: u8,
    __oslo_concurrency_error: u8,
) -> (bool, u8) {
    let sum = __oslo_concurrency_site + __oslo_concurrency_guard + __oslo_concurrency_error;
    let __oslo_concurrency_guard = ();
    (is_held("names-1"), sum)
}

#[test]
fn every_name_of_the_caller_means_what_it_meant() {
    assert!(named_by_a_constant());
    assert!(named_by_a_constant_and_timed().unwrap());
    assert!(with_items_in_the_body());
    assert!(with_items_in_the_body_and_options());
    assert!(Sized::<7>.of_a_generic_constant());
    assert_eq!(Sized::<7>.beside_a_generic_constant(), (true, 7));
    assert_eq!(Sized::<7>.that_panics(), (true, 7));
    assert_eq!(of_parameters(1, 2, 3), (true, 6));
}

#[cfg(feature = "tokio")]
mod tasks {
    use super::*;

    const SITE: &str = "the-callers-async-site";

    #[lockutils::synchronized(SITE)]
    async fn of_a_parameter(__oslo_concurrency_section: u8) -> (bool, u8) {
        (is_held(SITE), __oslo_concurrency_section)
    }

    struct Sized<const SITE: usize>;

    impl<const SITE: usize> Sized<SITE> {
        #[lockutils::synchronized(
        &format!("names-async-{SITE}"),
        timeout = Duration::from_secs(60)
    )]
        async fn of_a_generic_constant(&self) -> Result<usize, Error> {
            assert!(is_held(&format!("names-async-{SITE}")));
            Result::Ok(SITE)
        }
    }

    #[tokio::test]
    async fn every_name_of_the_caller_means_what_it_meant() {
        assert_eq!(of_a_parameter(3).await, (true, 3));
        assert_eq!(Sized::<7>.of_a_generic_constant().await.unwrap(), 7);
    }
}
