use oslo_concurrency::lockutils;

#[lockutils::synchronized("x")]
struct Data;

#[lockutils::synchronized("x")]
impl Data2 {
    fn f() {}
}

struct Data2;

trait T {
    #[lockutils::synchronized("x")]
    fn required(&self);
}

#[lockutils::synchronized("x")]
const fn constant() {}

fn main() {}
