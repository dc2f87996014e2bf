// An example that a JSON Schema allows, as good as can be told without understanding all of it.

type Schema = { [member: string]: unknown }

const MAX_DEPTH = 6

export function exampleOf(schema: unknown, depth = 0): unknown {
  if (typeof schema !== 'object' || schema === null || depth > MAX_DEPTH) return {}
  const s = schema as Schema
  if ('example' in s) return s.example
  if (Array.isArray(s.examples) && s.examples.length > 0) return s.examples[0]
  if ('const' in s) return s.const
  if ('default' in s) return s.default
  if (Array.isArray(s.enum) && s.enum.length > 0) return s.enum[0]
  for (const word of ['oneOf', 'anyOf', 'allOf'] as const) {
    const options = s[word]
    if (Array.isArray(options) && options.length > 0)
      return word === 'allOf' ? Object.assign({}, ...options.map(option => exampleOf(option, depth + 1))) : exampleOf(options[0], depth + 1)
  }
  const type = Array.isArray(s.type) ? s.type.find(one => one !== 'null') : s.type
  switch (type) {
    case 'string':
      return ofString(s)
    case 'integer':
    case 'number':
      return typeof s.minimum === 'number' ? s.minimum : 1
    case 'boolean':
      return true
    case 'null':
      return null
    case 'array':
      return [exampleOf(s.items, depth + 1)]
    default:
      return Object.fromEntries(Object.entries((s.properties ?? {}) as Schema).map(([name, of]) => [name, exampleOf(of, depth + 1)]))
  }
}

function ofString(s: Schema) {
  switch (s.format) {
    case 'date-time':
      return '2026-01-31T12:00:00Z'
    case 'date':
      return '2026-01-31'
    case 'email':
      return 'ada@example.com'
    case 'uri':
      return 'https://example.com/'
    case 'uuid':
      return '3f1c9a52-6a0e-4f0e-9d38-0c1c5a7d2b11'
    default:
      return 'text'
  }
}

// The newest of an event type's schemas, whose names are versions.
export function newestSchema(schemas: Record<string, unknown> | null | undefined): unknown {
  const versions = Object.keys(schemas ?? {}).sort((a, b) => Number(a) - Number(b) || a.localeCompare(b))
  return versions.length > 0 ? schemas![versions.at(-1)!] : undefined
}

export function examplePayload(schemas: Record<string, unknown> | null | undefined): string {
  const schema = newestSchema(schemas)
  return JSON.stringify(schema === undefined ? { hello: 'world' } : exampleOf(schema), null, 2)
}
