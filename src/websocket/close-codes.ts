/** Why a WebSocket was closed (RFC 6455 §7.4, and IANA's registry of close codes). */

export const NORMAL = 1000;
export const PROTOCOL_ERROR = 1002;
export const NOT_ACCEPTED = 1003;
/** A Close frame without a code; in no frame itself. */
export const NO_CODE = 1005;
/** No Close frame came; in no frame itself. */
export const ABNORMAL = 1006;
export const INVALID_TEXT = 1007;
export const POLICY = 1008;
export const TOO_LARGE = 1009;
export const FAULT = 1011;
export const RESTART = 1012;
export const TRY_AGAIN = 1013;

/** Whether a Close frame may have it: those registered for frames, those of libraries (3000…) and of applications (4000…). */
export function isValidCode(code: number): boolean {
  if (code >= 3000) return code <= 4999;
  return code >= 1000 && code <= 1014 && code !== 1004 && code !== NO_CODE && code !== ABNORMAL;
}
