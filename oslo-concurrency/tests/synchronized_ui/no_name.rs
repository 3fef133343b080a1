use oslo_concurrency::lockutils;

#[lockutils::synchronized]
fn f() {}

#[lockutils::synchronized()]
fn g() {}

#[lockutils::synchronized(external = true)]
fn h() -> Result<(), lockutils::Error> {
    Ok(())
}

fn main() {}
