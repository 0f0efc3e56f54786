const KEY = /^[A-Za-z0-9_.-]+(?:\/[A-Za-z0-9_.-]+)*$/

/** Keys are ours, yet a wrong one must never lead out of the store. */
export function checkBlobKey(key: string): string {
  if (!KEY.test(key) || key.split('/').includes('..'))
    throw new Error(`Not a blob key: ${JSON.stringify(key)}`)
  return key
}
