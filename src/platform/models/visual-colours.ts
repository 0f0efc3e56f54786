import { type Planes, SMALL } from './visual-planes.ts'

const LIGHTNESS_BINS = 6
const HUE_BINS = 5
/** Colours beyond this are rare in photographs and share the outermost bin. */
const HUE_LIMIT = 0.16

const LAYOUT_CELLS = 4
/** Differences of colour are smaller numbers than differences of lightness; this makes them count alike. */
const LAYOUT_COLOUR_GAIN = 3

/**
 * Which colours an image has: 6 x 5 x 5 bins of OKLab. A pixel is shared out among its eight nearest
 * bins, so that a small change of colour is a small change here; the square root keeps one large
 * plain area from outweighing everything else.
 */
export function colourHistogram({ lightness, greenRed, blueYellow }: Planes): Float32Array {
  const histogram = new Float32Array(LIGHTNESS_BINS * HUE_BINS * HUE_BINS)
  for (let i = 0; i < lightness.length; i++) {
    const l = scale(lightness[i]!, 0, 1, LIGHTNESS_BINS)
    const a = scale(greenRed[i]!, -HUE_LIMIT, HUE_LIMIT, HUE_BINS)
    const b = scale(blueYellow[i]!, -HUE_LIMIT, HUE_LIMIT, HUE_BINS)
    const [l0, a0, b0] = [lower(l, LIGHTNESS_BINS), lower(a, HUE_BINS), lower(b, HUE_BINS)]
    for (let corner = 0; corner < 8; corner++) {
      const [dl, da, db] = [corner & 1, (corner >> 1) & 1, corner >> 2]
      const weight = share(l - l0, dl) * share(a - a0, da) * share(b - b0, db)
      histogram[((l0 + dl) * HUE_BINS + a0 + da) * HUE_BINS + b0 + db]! += weight
    }
  }
  return histogram.map((count) => Math.sqrt(count / lightness.length))
}

/** Where the colours are: the mean colour of each of 4 x 4 cells. */
export function colourLayout({ lightness, greenRed, blueYellow }: Planes): Float32Array {
  const layout = new Float32Array(LAYOUT_CELLS * LAYOUT_CELLS * 3)
  const cell = SMALL / LAYOUT_CELLS
  for (let y = 0; y < SMALL; y++) {
    for (let x = 0; x < SMALL; x++) {
      const i = y * SMALL + x
      const at = (Math.floor(y / cell) * LAYOUT_CELLS + Math.floor(x / cell)) * 3
      layout[at]! += (lightness[i]! - 0.5) / cell ** 2
      layout[at + 1]! += (greenRed[i]! * LAYOUT_COLOUR_GAIN) / cell ** 2
      layout[at + 2]! += (blueYellow[i]! * LAYOUT_COLOUR_GAIN) / cell ** 2
    }
  }
  return layout
}

/** `value` between `low` and `high` as a place on the line of bins. */
function scale(value: number, low: number, high: number, bins: number): number {
  return Math.min(bins - 1, Math.max(0, ((value - low) / (high - low)) * (bins - 1)))
}

const lower = (place: number, bins: number) => Math.min(bins - 2, Math.floor(place))
const share = (fraction: number, upper: number) => (upper ? fraction : 1 - fraction)
