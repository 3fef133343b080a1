use oslo_concurrency::lockutils;

#[lockutils::synchronized("x", external)]
fn external() {}

#[lockutils::synchronized("x", blocking = false)]
fn busy() -> ! {
    loop {}
}

#[lockutils::synchronized("x", timeout = std::time::Duration::ZERO)]
fn late() -> impl Iterator<Item = u8> {
    [].into_iter()
}

fn main() {}
