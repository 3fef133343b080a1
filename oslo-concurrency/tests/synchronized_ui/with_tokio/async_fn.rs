use oslo_concurrency::lockutils;

#[lockutils::synchronized("x", external)]
async fn returns_nothing() {}

#[lockutils::synchronized("x", external)]
async fn returns_something_else() -> Option<u8> {
    None
}

#[lockutils::synchronized("x")]
async fn returns_the_wrong_type() -> u8 {
    "text"
}

fn main() {}
