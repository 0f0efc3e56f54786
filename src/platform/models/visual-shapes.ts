import { type Planes, SIZE, SMALL } from './visual-planes.ts'

const GRID_CELLS = 6
const ORIENTATIONS = 8
/** Weaker steps are noise of the camera or of compression. */
const GRADIENT_MIN = 0.02

const ENERGY_CELLS = 4
const ENERGY_SCALES = 4

const FREQUENCIES_MAX = 16
const LIGHTNESS_FREQUENCIES = 122
const COLOUR_FREQUENCIES = 48
const COLOUR_GAIN = 1.5

/** Which way edges run, in each of 6 x 6 cells: eight orientations, light on either side alike. */
export function gradientGrid({ grey }: Planes): Float32Array {
  const grid = new Float32Array(GRID_CELLS * GRID_CELLS * ORIENTATIONS)
  const cell = SIZE / GRID_CELLS
  for (let y = 1; y < SIZE - 1; y++) {
    const row = Math.floor(y / cell) * GRID_CELLS
    for (let x = 1; x < SIZE - 1; x++) {
      const at = y * SIZE + x
      const dx = grey[at + 1]! - grey[at - 1]!
      const dy = grey[at + SIZE]! - grey[at - SIZE]!
      const strength = Math.sqrt(dx * dx + dy * dy)
      if (strength < GRADIENT_MIN) continue
      const turn = Math.atan2(dy, dx) / Math.PI
      const orientation = ((turn < 0 ? turn + 1 : turn) * ORIENTATIONS) % ORIENTATIONS
      const first = Math.floor(orientation)
      const rest = orientation - first
      const base = (row + Math.floor(x / cell)) * ORIENTATIONS
      grid[base + first]! += strength * (1 - rest)
      grid[base + ((first + 1) % ORIENTATIONS)]! += strength * rest
    }
  }
  return grid.map((sum) => Math.sqrt(sum / cell ** 2))
}

/**
 * How much detail there is at four sizes in each of 4 x 4 cells. It tells textures, full of detail
 * everywhere, from pictures of things, which have it here and there.
 */
export function edgeEnergy({ grey }: Planes): Float32Array {
  const energy = new Float32Array(ENERGY_CELLS * ENERGY_CELLS * ENERGY_SCALES)
  let plane = grey
  for (let scale = 0; scale < ENERGY_SCALES; scale++) {
    const half = SIZE >> (scale + 1)
    const cell = half / ENERGY_CELLS
    const coarser = new Float32Array(half * half)
    for (let y = 0; y < half; y++) {
      for (let x = 0; x < half; x++) {
        const at = 4 * y * half + 2 * x
        const quad = [plane[at]!, plane[at + 1]!, plane[at + 2 * half]!, plane[at + 2 * half + 1]!] as const
        const mean = (quad[0] + quad[1] + quad[2] + quad[3]) / 4
        coarser[y * half + x] = mean
        const place = Math.floor(y / cell) * ENERGY_CELLS + Math.floor(x / cell)
        for (const value of quad) energy[place * ENERGY_SCALES + scale]! += Math.abs(value - mean) / cell ** 2
      }
    }
    plane = coarser
  }
  return energy.map((sum) => Math.sqrt(sum))
}

/** The coarse picture: the lowest frequencies of lightness and of both colour axes, without their means. */
export function lowFrequencies({ lightness, greenRed, blueYellow }: Planes): Float32Array {
  return Float32Array.from([
    ...cosines(lightness, LIGHTNESS_FREQUENCIES, 1),
    ...cosines(greenRed, COLOUR_FREQUENCIES, COLOUR_GAIN),
    ...cosines(blueYellow, COLOUR_FREQUENCIES, COLOUR_GAIN),
  ])
}

/** (u, v) from low to high frequency; the first, which is the mean, is left out. */
const FREQUENCIES = Array.from({ length: FREQUENCIES_MAX ** 2 }, (_, i) => ({
  u: Math.floor(i / FREQUENCIES_MAX),
  v: i % FREQUENCIES_MAX,
}))
  .sort((a, b) => a.u + a.v - (b.u + b.v) || a.u - b.u)
  .slice(1)

const BASIS = Array.from({ length: FREQUENCIES_MAX }, (_, u) =>
  Float32Array.from(
    { length: SMALL },
    (_, x) => Math.cos(((2 * x + 1) * u * Math.PI) / 2 / SMALL) * Math.sqrt((u ? 2 : 1) / SMALL),
  ),
)

/** The first `count` terms of a two-dimensional DCT-II; signed roots keep the strongest from ruling. */
function cosines(plane: Float32Array, count: number, gain: number): number[] {
  // Rows first, once for every v: the sum over y then needs SMALL steps a term, not SMALL squared.
  const rows = BASIS.map((basis) => {
    const sums = new Float32Array(SMALL)
    for (let y = 0; y < SMALL; y++)
      for (let x = 0; x < SMALL; x++) sums[y]! += plane[y * SMALL + x]! * basis[x]!
    return sums
  })
  return FREQUENCIES.slice(0, count).map(({ u, v }) => {
    let sum = 0
    for (let y = 0; y < SMALL; y++) sum += rows[v]![y]! * BASIS[u]![y]!
    return Math.sign(sum) * Math.sqrt(Math.abs(sum)) * gain
  })
}
