import { isObject } from '../json.ts'

export type GeoPoint = { lat: number; lon: number }
export type GeoCircle = { center: GeoPoint; radius: number }
export type GeoBox = { top_left: GeoPoint; bottom_right: GeoPoint }

/** Mean radius of the earth (IUGG), in meters. */
export const EARTH_RADIUS_M = 6_371_008.8

/** A `{lat, lon}` object in degrees; anything else, also out of range, is null. */
export function geoPoint(value: unknown): GeoPoint | null {
  if (!isObject(value)) return null
  const { lat, lon } = value
  if (typeof lat !== 'number' || typeof lon !== 'number') return null
  return Math.abs(lat) <= 90 && Math.abs(lon) <= 180 ? { lat, lon } : null
}

/** Great-circle distance at most `radius` meters. */
export function inCircle(point: GeoPoint, { center, radius }: GeoCircle): boolean {
  const sinLat = Math.sin(radians(point.lat - center.lat) / 2)
  const sinLon = Math.sin(radians(point.lon - center.lon) / 2)
  const h = sinLat * sinLat + Math.cos(radians(center.lat)) * Math.cos(radians(point.lat)) * sinLon * sinLon
  return 2 * EARTH_RADIUS_M * Math.asin(Math.min(1, Math.sqrt(h))) <= radius
}

/** Edges included; a left edge east of the right one means the box crosses the antimeridian. */
export function inBox({ lat, lon }: GeoPoint, { top_left, bottom_right }: GeoBox): boolean {
  if (lat > top_left.lat || lat < bottom_right.lat) return false
  return top_left.lon <= bottom_right.lon
    ? lon >= top_left.lon && lon <= bottom_right.lon
    : lon >= top_left.lon || lon <= bottom_right.lon
}

const radians = (degrees: number) => (degrees * Math.PI) / 180
