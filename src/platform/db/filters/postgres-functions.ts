import { SIMPLE_FOLDING } from '../../../core/filters/fold-table.ts'
import { SORT_TEXT_MAX } from '../../../core/filters/sort-order.ts'
import { normalized, type Ranges } from './code-points.ts'

/**
 * Functions that compiled filters, searches and sorts call on PostgreSQL, for a migration to create.
 * Each says in SQL what its namesake in core/filters says in TypeScript; the property test compares
 * them. The database must be encoded in UTF-8.
 *
 * As near as the database allows: NFC is that of the server's version of Unicode, and sine and
 * cosine of geo distances may differ in the last digit.
 */
export const postgresFunctions = (): string[] => [
  foldUnicode(),
  fold(),
  instant(),
  number(),
  numberText(),
  sortText(),
  values(),
  keys(),
  coordinate(),
  distance(),
]

/** Letters of Latin, Greek and Cyrillic: the only ones that most texts beyond ASCII fold. */
const COMMON_LAST = 0x52f

/**
 * `foldCase`. Translating looks through a table of 1,500 letters for every character of the text, so
 * texts without a letter that folds are left as they are and common scripts get a short table.
 */
function foldUnicode(): string {
  const rows = [...SIMPLE_FOLDING].filter(([point]) => point > 0x7f)
  const common = rows.filter(([point]) => point <= COMMON_LAST)
  const rare = rows.filter(([point]) => point > COMMON_LAST)
  return `
create function kura_fold_unicode(source text) returns text language plpgsql immutable strict parallel safe as $body$
declare
  folded text := lower(normalize(source, NFC) collate "C");
begin
  if (folded collate "C") !~ '[${letters(rows)}]' then return folded; end if;
  folded := translate(folded, '${from(common)}', '${to(common)}');
  if (folded collate "C") !~ '[${letters(rare)}]' then return folded; end if;
  return translate(folded, '${from(rare)}', '${to(rare)}');
end $body$`
}

/** Texts of ASCII alone are folded by a plain expression, which the planner puts in place of the call. */
function fold(): string {
  return `
create function kura_fold(source text) returns text language sql immutable strict parallel safe as $body$
  select case when octet_length(source) = char_length(source) then lower(source collate "C") else kura_fold_unicode(source) end
$body$`
}

type Folding = [point: number, folded: number]

const from = (rows: Folding[]) => String.fromCodePoint(...rows.map(([point]) => point))
const to = (rows: Folding[]) => String.fromCodePoint(...rows.map(([, folded]) => folded))

function letters(rows: Folding[]): string {
  const ranges: Ranges = normalized(rows.map(([point]) => [point, point] as const))
  return ranges
    .map(([first, last]) => (first === last ? letter(first) : `${letter(first)}-${letter(last)}`))
    .join('')
}

const letter = (point: number) => `\\U${point.toString(16).padStart(8, '0')}`

/** Days that a month has in every year or, for 29 February, in some. */
const MONTH_DAY =
  '(?:(?:0[13578]|1[02])-(?:0[1-9]|[12][0-9]|3[01])|(?:0[469]|11)-(?:0[1-9]|[12][0-9]|30)|02-(?:0[1-9]|[12][0-9]))'
const HOUR_MINUTE = '(?:[01][0-9]|2[0-3]):?[0-5][0-9]'

/**
 * `instantOf`. Text is cut and put together; only an offset needs arithmetic of timestamps, which
 * costs ten times as much.
 */
function instant(): string {
  const time = `[T ](?=..:)${HOUR_MINUTE}(?::[0-5][0-9](?:\\.[0-9]{1,9})?)?(?:Z|[+-]${HOUR_MINUTE})?`
  return `
create function kura_instant(source text) returns text language plpgsql immutable strict parallel safe as $body$
declare
  year integer;
  tail text;
  zone text;
  moment timestamp;
begin
  if (source collate "C") !~ '^(?!0000)[0-9]{4}-${MONTH_DAY}(?:${time})?$' then return null; end if;
  if substr(source, 6, 5) = '02-29' then
    year := left(source, 4)::integer;
    if year % 4 <> 0 or (year % 100 = 0 and year % 400 <> 0) then return null; end if;
  end if;
  if length(source) = 10 then return source || 'T00:00:00.000000Z'; end if;
  tail := substr(source, 17);
  zone := substring(tail from '[Z+-].*$');
  tail := coalesce(substring(tail from '^:([.0-9]+)'), '00');
  tail := left(tail, 2) || '.' || rpad(substr(tail, 4, 6), 6, '0') || 'Z';
  if zone is null or zone = 'Z' then
    return left(source, 10) || 'T' || substr(source, 12, 5) || ':' || tail;
  end if;
  moment := (left(source, 10) || ' ' || substr(source, 12, 5))::timestamp
    - (left(zone, 3) || ':' || right(zone, 2))::interval;
  if moment < timestamp '0001-01-01' or moment >= timestamp '10000-01-01' then return null; end if;
  return to_char(moment, 'YYYY-MM-DD"T"HH24:MI:') || tail;
end $body$`
}

/** `numberOf`. */
function number(): string {
  return `
create function kura_number(source text) returns float8 language sql immutable strict parallel safe as $body$
  select case when (source collate "C") ~ '^[+-]?[0-9]{1,20}(?:\\.[0-9]{1,24})?(?:[eE][+-]?[0-9]{1,2})?$' then source::float8 end
$body$`
}

/** `numberText`: IEEE 754 bits in hexadecimal, turned so that they sort. */
function numberText(): string {
  return `
create function kura_number_text(source float8) returns text language sql immutable strict parallel safe as $body$
  select case when bits >= '8' then translate(bits, '0123456789abcdef', 'fedcba9876543210')
    else translate(left(bits, 1), '01234567', '89abcdef') || substr(bits, 2) end
  from (select encode(float8send(source + 0), 'hex') collate "C" as bits) as sent
$body$`
}

/** `sortText`. */
function sortText(): string {
  return `
create function kura_sort_text(source jsonb) returns text language plpgsql immutable strict parallel safe as $body$
declare
  element jsonb := case when jsonb_typeof(source) = 'array' then source -> 0 else source end;
  content text := element #>> '{}';
  moment text;
begin
  case jsonb_typeof(element)
    when 'number' then return '1' || kura_number_text(content::float8);
    when 'boolean' then return case when content = 'true' then '41' else '40' end;
    when 'string' then
      moment := kura_instant(content);
      if moment is not null then return '2' || moment; end if;
      content := left(content, ${SORT_TEXT_MAX});
      return '3' || kura_fold(content) || E'\\x01' || content;
    else return null;
  end case;
end $body$`
}

/** `valuesAt`; the path is a JSON array of names and positions. */
function values(): string {
  return `
create function kura_values(source jsonb, path jsonb) returns setof jsonb language plpgsql immutable strict parallel safe rows 4 as $body$
declare
  step jsonb;
  found jsonb[] := array[source];
begin
  for step in select element from jsonb_array_elements(path) as element loop
    if jsonb_typeof(step) = 'number' then
      found := array(
        select value -> step::text::integer from unnest(found) as value
        where case when jsonb_typeof(value) = 'array' then jsonb_array_length(value) > step::text::integer else false end);
    else
      found := array(
        select element -> (step #>> '{}') from unnest(found) as value
        cross join lateral jsonb_array_elements(case when jsonb_typeof(value) = 'array' then value else jsonb_build_array(value) end) as element
        where jsonb_typeof(element) = 'object' and element ? (step #>> '{}'));
    end if;
    exit when cardinality(found) = 0;
  end loop;
  return query select value from unnest(found) as value;
end $body$`
}

/** Longer texts are indexed by their hash: an index entry has a bounded size. */
export const INDEXED_TEXT_MAX = 200

/** Everything that `eq` and `in` may find a value by: see `indexKeys` in postgres-json.ts. */
function keys(): string {
  return `
create function kura_keys(source jsonb) returns text[] language plpgsql immutable strict parallel safe as $body$
declare
  element jsonb;
  content text;
  found text[] := '{}';
begin
  for element in select value from jsonb_array_elements(case when jsonb_typeof(source) = 'array' then source else jsonb_build_array(source) end) loop
    content := element #>> '{}';
    if jsonb_typeof(element) = 'number' then
      found := found || ('n' || kura_number_text(content::float8));
    elsif jsonb_typeof(element) = 'string' then
      found := found || ('s' || case when octet_length(content) > ${INDEXED_TEXT_MAX} then md5(content) else content end);
      if content collate "C" >= '+' and content collate "C" < ':' then
        found := array_remove(found || array['i' || kura_instant(content), 'm' || kura_number_text(kura_number(content))], null);
      end if;
    end if;
  end loop;
  return found;
end $body$`
}

/** One coordinate of a `{lat, lon}` object, in degrees; null when it is none or out of range. */
function coordinate(): string {
  return `
create function kura_coordinate(source jsonb, name text, bound float8) returns float8 language sql immutable strict parallel safe as $body$
  select case when jsonb_typeof(source -> name) = 'number' then
    case when abs((source ->> name)::float8) <= bound then (source ->> name)::float8 end end
$body$`
}

/** Great-circle distance in meters from a `{lat, lon}` object, as `inCircle` computes it. */
function distance(): string {
  return `
create function kura_distance(source jsonb, lat float8, lon float8, earth_radius float8) returns float8 language sql immutable strict parallel safe as $body$
  select 2 * earth_radius * asin(least(1, sqrt(
    power(sin(radians(point_lat - lat) / 2), 2)
    + cos(radians(lat)) * cos(radians(point_lat)) * power(sin(radians(point_lon - lon) / 2), 2))))
  from (select kura_coordinate(source, 'lat', 90) as point_lat, kura_coordinate(source, 'lon', 180) as point_lon) as point
$body$`
}
