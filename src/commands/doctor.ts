import { green, json, line, table, yellow } from '../cli/output.ts'
import type { Config } from '../config.ts'
import { createDeps } from '../deps.ts'
import { examine } from '../doctor/examine.ts'
import type { Finding } from '../doctor/finding.ts'

/** Prints what was compared; exit code 1 when something differs and was not mended. */
export async function runDoctor(
  config: Config,
  { repair, asJson }: { repair: boolean; asJson: boolean },
): Promise<void> {
  const deps = await createDeps(config)
  try {
    const findings = await examine(deps, { repair })
    const open = findings.reduce((sum, { problems, repaired }) => sum + problems - repaired, 0)
    if (asJson) json({ healthy: open === 0, findings })
    else print(findings, open)
    if (open > 0) process.exitCode = 1
  } finally {
    await deps.close()
  }
}

function print(findings: Finding[], open: number): void {
  table(
    ['', 'check', 'examined', 'problems', 'repaired', ''],
    findings.map(({ check, examined, problems, repaired, detail }) => [
      problems > repaired ? yellow('!') : green('ok'),
      check,
      `${examined}`,
      `${problems}`,
      `${repaired}`,
      detail,
    ]),
  )
  line(
    open === 0
      ? green('Everything agrees.')
      : yellow(`${open} problems are open. "kura doctor --repair" mends what can be mended.`),
  )
}
