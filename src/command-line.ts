import { Command } from 'commander'
import { ApiError } from './cli/client.ts'
import { addClientCommands } from './cli/program.ts'
import { addServerCommands } from './commands/program.ts'
import { KuraError } from './core/errors.ts'
import { VERSION } from './core/version.ts'

/** Every command of the program, not yet run. */
export function createProgram(): Command {
  const program = new Command('kura')
    .description('A self-hosted multimodal data warehouse: files in, meaning out.')
    .version(VERSION)
    .showHelpAfterError('(kura --help lists the commands)')
  addServerCommands(program)
  addClientCommands(program)
  return program
}

/** Parses the arguments of the process and runs the command they name. */
export async function runCommandLine(): Promise<void> {
  try {
    await createProgram().parseAsync()
  } catch (error) {
    // What a person can act on is said in words; anything else is a fault of ours and keeps its stack.
    if (error instanceof ApiError || error instanceof KuraError) console.error(`kura: ${error.message}`)
    else console.error(error)
    process.exitCode = 1
  }
}
