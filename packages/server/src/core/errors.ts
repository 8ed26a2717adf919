/** The table of refusals: every expected no, its HTTP status, and nothing else decides one (`wire.md` 8). */
export const refusalStatus = {
  BadRequest: 400,
  InvalidInput: 400,
  InvalidRequestBody: 400,
  InvalidHashValue: 400,
  InvalidIpAddress: 400,
  MaximumBatchSizeExceeded: 400,
  MissingRequiredParameter: 400,
  ODataError: 400,
  OsPlatformNotSupported: 400,
  ClientVersionNotSupported: 400,
  ActiveRequestAlreadyExists: 400,
  Unauthorized: 401,
  Forbidden: 403,
  DisabledFeature: 403,
  DisallowedOperation: 403,
  NotFound: 404,
  ResourceNotFound: 404,
  RequestTimeout: 408,
  Conflict: 409,
  RequestEntityTooLarge: 413,
  InvalidRange: 416,
  TooManyRequests: 429,
  InternalServerError: 500,
  ServiceUnavailable: 503,
} as const

export type RefusalCode = keyof typeof refusalStatus

/** An expected no. Becomes an error in the reference's envelope; anything else thrown is a fault and becomes a 500. */
export class Refusal extends Error {
  readonly code: RefusalCode
  /** Whole seconds until another try makes sense; becomes `Retry-After`. */
  readonly retryAfterSeconds: number | null
  /** What stands in the answer beside the error, in an object `countermand`. */
  beside: object | null = null

  constructor(code: RefusalCode, message: string, retryAfterSeconds: number | null = null) {
    super(message)
    this.name = 'Refusal'
    this.code = code
    this.retryAfterSeconds = retryAfterSeconds
  }
}
