import { isObject } from './json.ts'

/** `{{secrets.x}}`, `{{ SECRET.x }}`, `${{ secrets.x }}` and `${vault:x}`: the spellings that name a secret. */
const REFERENCE = /\$?\{\{-?\s*secrets?\.([A-Za-z0-9_.-]+?)\s*-?\}\}|\$\{vault:([A-Za-z0-9_.-]+)\}/gi

/** Names of secrets: they stand in references without quotes. */
export const SECRET_NAME = /^[A-Za-z0-9_.-]{1,100}$/

/** Whether a text names a secret, in any spelling. */
export const namesSecret = (text: string): boolean =>
  (text.includes('{{') || text.includes('${')) && new RegExp(REFERENCE.source, 'i').test(text)

/** The names of the secrets that a value refers to, at any depth; `secret_ref` members name one too. */
export function secretNames(value: unknown): string[] {
  const names = new Set<string>()
  fillSecrets(value, (name) => {
    names.add(name)
    return ''
  })
  return [...names]
}

/**
 * A copy of a value with the secrets in the place of their references. A member `secret_ref` keeps
 * its name and holds the secret itself.
 */
export function fillSecrets(value: unknown, secret: (name: string) => string): unknown {
  if (typeof value === 'string')
    // As a function: "$&" within a secret is no instruction.
    return value.replace(REFERENCE, (_, braces?: string, vault?: string) => secret((braces ?? vault)!))
  if (Array.isArray(value)) return value.map((item) => fillSecrets(item, secret))
  if (!isObject(value)) return value
  return Object.fromEntries(
    Object.entries(value).map(([key, member]) => [
      key,
      key === 'secret_ref' && typeof member === 'string' && SECRET_NAME.test(member)
        ? secret(member)
        : fillSecrets(member, secret),
    ]),
  )
}
