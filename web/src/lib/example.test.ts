import { expect, it } from 'vitest'
import { exampleOf, examplePayload, newestSchema } from './example'

it('makes what a schema describes', () => {
  expect(
    exampleOf({
      type: 'object',
      properties: {
        id: { type: 'string' },
        at: { type: 'string', format: 'date-time' },
        amount: { type: 'integer', minimum: 5 },
        currency: { enum: ['EUR', 'USD'] },
        lines: { type: 'array', items: { type: 'object', properties: { ok: { type: 'boolean' } } } },
        note: { type: ['null', 'string'], examples: ['hello'] },
      },
    }),
  ).toEqual({ id: 'text', at: '2026-01-31T12:00:00Z', amount: 5, currency: 'EUR', lines: [{ ok: true }], note: 'hello' })
})

it('ends with schemas that contain themselves, and with nonsense', () => {
  const self: Record<string, unknown> = { type: 'object' }
  self.properties = { self }
  expect(JSON.stringify(exampleOf(self)).length).toBeLessThan(200)
  for (const nonsense of [null, true, 7, 'x', [], { type: 'what' }, { properties: null }]) expect(exampleOf(nonsense)).toEqual({})
})

it('takes the newest version by number', () => {
  expect(newestSchema({ '2': 'b', '10': 'c', '1': 'a' })).toBe('c')
  expect(newestSchema(null)).toBeUndefined()
  expect(JSON.parse(examplePayload({}))).toEqual({ hello: 'world' })
})
