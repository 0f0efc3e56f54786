import { readFile } from 'node:fs/promises'
import { type Command, InvalidArgumentError, Option } from 'commander'
import { ApiError } from './client.ts'

/** The flags of every command that needs a server. */
export function connected(command: Command): Command {
  return command
    .option('--url <address>', 'server (KURA_URL)')
    .option('--key <key>', 'API key (KURA_API_KEY)')
    .option('--namespace <name>', 'namespace id or name (KURA_NAMESPACE)')
    .addOption(new Option('--json', 'print JSON for machines'))
}

export function positive(text: string): number {
  const value = Number(text)
  if (!Number.isSafeInteger(value) || value < 1)
    throw new InvalidArgumentError('It must be a whole number from 1 on.')
  return value
}

/** A flag that may be given several times. */
export const collect = (value: string, before: string[] = []): string[] => [...before, value]

/** A JSON value: written out, or `@file`, or `-` for standard input. Throws ApiError with what is wrong. */
export async function jsonFlag(name: string, text: string): Promise<unknown> {
  const source = text.startsWith('@')
    ? await readSource(name, text.slice(1))
    : text === '-'
      ? await readInput()
      : text
  try {
    return JSON.parse(source)
  } catch (error) {
    throw new ApiError(0, `${name} is no JSON: ${(error as Error).message}`, null)
  }
}

async function readSource(name: string, path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8')
  } catch (error) {
    throw new ApiError(0, `${name}: ${(error as Error).message}`, null)
  }
}

async function readInput(): Promise<string> {
  let text = ''
  for await (const chunk of process.stdin.setEncoding('utf8')) text += chunk
  return text
}

/** `name=value` pairs as an object; values that are JSON numbers, booleans, objects or lists become such. */
export function pairs(name: string, given: readonly string[] = []): Record<string, unknown> {
  return Object.fromEntries(
    given.map((pair) => {
      const at = pair.indexOf('=')
      if (at < 1) throw new ApiError(0, `${name} takes name=value, not "${pair}".`, null)
      return [pair.slice(0, at), scalar(pair.slice(at + 1))]
    }),
  )
}

function scalar(text: string): unknown {
  if (!/^(?:-?\d|true$|false$|null$|[[{"])/.test(text)) return text
  try {
    return JSON.parse(text)
  } catch {
    // Not JSON after all: dates and phone numbers begin with digits too.
    return text
  }
}
