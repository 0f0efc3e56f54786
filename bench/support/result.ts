export type Machine = {
  cpus: number
  model: string | undefined
  memory_gb: number
  load_1_min_at_start: number
  node: string
}

/** What a benchmark leaves in bench/results. */
export type Result = {
  name: string
  at: string
  scale: number
  machine: Machine
  figures: Figure[]
  notes: string[]
}

export type Figure = {
  what: string
  value: number
  unit?: string
  /** The budget of the design this figure has to keep: at least, or at most. */
  target?: { min: number } | { max: number }
  /** The peer or ceiling measured in the same run. */
  beside?: { name: string; value: number; unit?: string }
  note?: string
}

/** Whether the figure keeps its target; true without one. */
export function isKept({ value, target }: Figure): boolean {
  if (!target) return true
  return 'min' in target ? value >= target.min : value <= target.max
}

export function targetText({ target, unit }: Figure): string {
  if (!target) return ''
  return 'min' in target ? `≥ ${quantity(target.min, unit)}` : `≤ ${quantity(target.max, unit)}`
}

/** The peer, how much of it the figure is, and the note. */
export function besideText({ value, unit, beside, note }: Figure): string {
  const parts: string[] = []
  if (beside) {
    const comparable = (beside.unit ?? unit) === unit && beside.value > 0
    const ratio = comparable ? ` (${ratioText(value / beside.value)})` : ''
    parts.push(`${beside.name}: ${quantity(beside.value, beside.unit ?? unit)}${ratio}`)
  }
  if (note) parts.push(note)
  return parts.join('; ')
}

export function quantity(value: number, unit = ''): string {
  const text =
    Math.abs(value) >= 100 || Number.isInteger(value)
      ? Math.round(value).toLocaleString('en-US')
      : value.toFixed(unit === '' ? 3 : 2)
  return unit ? `${text} ${unit}` : text
}

/** How much of the figure beside it this one is. */
const ratioText = (ratio: number) =>
  ratio < 2 ? `${(ratio * 100).toFixed(ratio < 0.1 ? 1 : 0)} % of it` : `${ratio.toFixed(1)} times it`
