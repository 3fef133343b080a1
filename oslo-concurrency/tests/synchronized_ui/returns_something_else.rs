use oslo_concurrency::lockutils;

#[lockutils::synchronized("x", external)]
fn option() -> Option<u8> {
    None
}

#[lockutils::synchronized("x", external)]
fn foreign_error() -> Result<u8, std::fmt::Error> {
    Ok(1)
}

fn main() {}
