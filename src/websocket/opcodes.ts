/** What a frame is (RFC 6455 §11.8). */

export const CONTINUATION = 0;
export const TEXT = 1;
export const BINARY = 2;
export const CLOSE = 8;
export const PING = 9;
export const PONG = 10;

/** What a control frame can carry at most (§5.5). */
export const MAX_CONTROL = 125;
