use oslo_concurrency::lockutils;

#[lockutils::synchronized(7)]
fn number() {}

#[lockutils::synchronized("x", external = "yes")]
fn text() -> Result<(), lockutils::Error> {
    Ok(())
}

#[lockutils::synchronized("x", timeout = 2)]
fn seconds() -> Result<(), lockutils::Error> {
    Ok(())
}

fn main() {}
