#!/usr/bin/env node
import { enableCompileCache } from 'node:module'
import { join } from 'node:path'

// Keeps compiled code between runs: a start takes about half the processor time. Everything else is
// imported after this line, so that it profits.
enableCompileCache(join(import.meta.dirname, '..', 'node_modules', '.cache', 'kura'))

const { runCommandLine } = await import('./command-line.ts')
await runCommandLine()
