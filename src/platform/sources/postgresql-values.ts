/** PostgreSQL type ids (pg_type.oid). */
const BOOL = 16
const BYTEA = 17
const INT8 = 20
const JSON_TYPE = 114
const JSONB = 3802
const NUMERIC = 1700
const TIMESTAMP = 1114
const TIMESTAMPTZ = 1184
const NUMBERS = new Set([21, 23, 26, 700, 701])
/** Arrays of numbers, booleans and texts, which the driver knows how to take apart. */
const ARRAYS = new Set([1000, 1005, 1007, 1009, 1014, 1015, 1021, 1022])

/** More digits than these are not exact as a JSON number, and stay text. */
const EXACT_DIGITS = 15

type Parse = (text: string) => unknown

/** How the text of a column becomes JSON. Dates and what JSON has no form for stay as PostgreSQL writes them. */
export function jsonParser(oid: number, ofDriver: (oid: number) => Parse): Parse {
  if (oid === BOOL) return (text) => text === 't'
  if (NUMBERS.has(oid) || oid === INT8 || oid === NUMERIC) return numberOf
  if (oid === JSON_TYPE || oid === JSONB) return (text) => JSON.parse(text) as unknown
  if (oid === TIMESTAMP || oid === TIMESTAMPTZ) return isoOf
  if (oid === BYTEA) return (text) => Buffer.from(text.replace(/^\\x/, ''), 'hex').toString('base64')
  return ARRAYS.has(oid) ? ofDriver(oid) : (text) => text
}

/** NaN and infinities have no JSON form. */
function numberOf(text: string): number | string {
  const value = Number(text)
  const digits = text.replace(/e.*$/i, '').replace(/\D/g, '').replace(/^0+/, '').length
  return Number.isFinite(value) && digits <= EXACT_DIGITS + 1 && isExact(value, digits) ? value : text
}

const isExact = (value: number, digits: number) => digits <= EXACT_DIGITS || Number.isSafeInteger(value)

/** The session writes ISO dates in UTC; the form of JSON has a T and a Z. */
const isoOf = (text: string) => text.replace(' ', 'T').replace(/\+00$/, 'Z')
