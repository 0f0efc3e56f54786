import { readdirSync, readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'

/** Clock ticks of one second in /proc; 100 on every Linux that Node runs on. */
const TICKS = 100

export type Usage = { cpu_s: number; rss_mb: number; processes: number }

/** CPU time and resident memory of a process and its descendants; null where there is no /proc. */
export function usageOf(pid: number): Usage | null {
  try {
    const pids = familyOf(pid)
    return {
      cpu_s: sum(pids.map(cpuSeconds)),
      rss_mb: sum(pids.map(residentMb)),
      processes: pids.length,
    }
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null
    throw error
  }
}

/** Resident memory of this process alone. */
export function residentMb(pid: number): number {
  const match = /VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))
  return Number(match?.[1] ?? 0) / 1024
}

export function familyOf(pid: number): number[] {
  const children = readdirSync(`/proc/${pid}/task`).flatMap((thread) =>
    readFileSync(`/proc/${pid}/task/${thread}/children`, 'utf8').split(' ').filter(Boolean).map(Number),
  )
  return [pid, ...children.flatMap(familyOf)]
}

/**
 * CPU time of this process alone. https://man7.org/linux/man-pages/man5/proc_pid_stat.5.html: fields 14
 * and 15 are utime and stime.
 */
export function cpuSeconds(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
  // The name in field 2 may hold spaces, so count from its closing parenthesis.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  return (Number(fields[11]) + Number(fields[12])) / TICKS
}

const sum = (values: readonly number[]) => values.reduce((total, value) => total + value, 0)

/** Waits until the process and its descendants rest: less than a twentieth of a core for two seconds. */
export async function untilAtRest(pid: number, timeout_ms: number): Promise<void> {
  const deadline_ms = performance.now() + timeout_ms
  let calm = 0
  while (calm < 4) {
    const before = usageOf(pid)?.cpu_s ?? 0
    await sleep(500)
    const used_s = (usageOf(pid)?.cpu_s ?? 0) - before
    calm = used_s < 0.025 ? calm + 1 : 0
    if (performance.now() > deadline_ms)
      throw new Error(`The server was still busy after ${timeout_ms / 1000} s.`)
  }
}
