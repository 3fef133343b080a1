//! The scripts. Redis runs each as one step.

use std::sync::LazyLock;

use redis::Script;

/// Keys: the lock, the counter of tokens. Arguments: the claim's id, the lease in milliseconds.
/// Returns 1 and the token, or 0 and the milliseconds that are left to the holder.
///
/// The counter never falls behind the server's clock in microseconds, so that tokens go on growing
/// if the server loses its data, unless its clock is set back too.
pub(super) static ACQUIRE: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        "
        local mine = ARGV[1] .. ':'
        local held = redis.call('get', KEYS[1])
        if held then
            if string.sub(held, 1, #mine) ~= mine then
                return {0, redis.call('pttl', KEYS[1])}
            end
            redis.call('pexpire', KEYS[1], ARGV[2])
            return {1, tonumber(string.sub(held, #mine + 1))}
        end
        local time = redis.call('time')
        local last = tonumber(redis.call('get', KEYS[2]) or '0')
        local token = math.max(last + 1, time[1] * 1000000 + time[2])
        local text = string.format('%.0f', token)
        redis.call('set', KEYS[2], text)
        redis.call('set', KEYS[1], mine .. text, 'px', ARGV[2])
        return {1, token}
        ",
    )
});

/// Key: the lock. Argument: the claim's id. Returns 1 if the claim held the lock.
///
/// A user who may not publish releases the lock all the same.
pub(super) static RELEASE: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        "
        local mine = ARGV[1] .. ':'
        local held = redis.call('get', KEYS[1])
        if not held or string.sub(held, 1, #mine) ~= mine then
            return 0
        end
        redis.call('del', KEYS[1])
        redis.pcall('publish', KEYS[1] .. ':released', '')
        return 1
        ",
    )
});

/// Keys: locks. Arguments: the lease in milliseconds, and for each key a claim's id. Returns 1 for
/// each lock that its claim holds, whose lease begins again.
pub(super) static RENEW: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        "
        local renewed = {}
        for i, key in ipairs(KEYS) do
            local mine = ARGV[i + 1] .. ':'
            local held = redis.call('get', key)
            if held and string.sub(held, 1, #mine) == mine then
                renewed[i] = redis.call('pexpire', key, ARGV[1])
            else
                renewed[i] = 0
            end
        end
        return renewed
        ",
    )
});
