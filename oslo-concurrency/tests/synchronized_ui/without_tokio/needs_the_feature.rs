use oslo_concurrency::lockutils;

#[lockutils::synchronized("x")]
async fn asynchronous() {}

fn main() {}
