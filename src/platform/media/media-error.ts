/**
 * Why a file cannot be read. `damaged`: not what it says or cut off; `encrypted`: needs a password;
 * `too_large`: over a bound that protects the process; `unsupported`: no decoder for this format.
 */
export type MediaErrorReason = 'damaged' | 'encrypted' | 'too_large' | 'unsupported'

/** A file that this server cannot decode. Trying again gives the same answer. */
export class MediaError extends Error {
  readonly reason: MediaErrorReason
  /** What the sender can do about it. */
  readonly suggestion: string | null

  constructor(
    reason: MediaErrorReason,
    message: string,
    options: { cause?: unknown; suggestion?: string } = {},
  ) {
    super(message, { cause: options.cause })
    this.name = 'MediaError'
    this.reason = reason
    this.suggestion = options.suggestion ?? null
  }
}
