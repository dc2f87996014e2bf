import { describe, expect, it } from 'vitest'
import { isJson, pretty, tokens } from './json'

const laidOut = (text: string) =>
  pretty(text)
    .map(token => token.text)
    .join('')

describe('JSON as text', () => {
  it('is laid out as JSON.stringify does', () => {
    for (const value of [
      {},
      [],
      { a: 1 },
      { a: [], b: {}, c: [1, 'x', null, { d: true }] },
      [[[]]],
      'text',
      -1.5e10,
      { 'a"b\\': 'x,:{}[]' },
    ])
      expect(laidOut(JSON.stringify(value))).toBe(JSON.stringify(value, null, 2))
  })

  it('keeps numbers and the order of members as they were sent', () => {
    expect(laidOut('{"b":12345678901234567890,"a":1.0,"b":1e400}')).toBe('{\n  "b": 12345678901234567890,\n  "a": 1.0,\n  "b": 1e400\n}')
  })

  it('loses no character of what is no JSON', () => {
    for (const text of ['<b>', '{"a":', "it's 5 o'clock", '{"unclosed', ''])
      expect(
        tokens(text)
          .map(token => token.text)
          .join(''),
      ).toBe(text)
  })

  it('tells names from strings', () => {
    expect(
      tokens('{"a": "b"}')
        .filter(token => token.kind === 'key')
        .map(token => token.text),
    ).toEqual(['"a"'])
  })

  it('is told from other text', () => {
    expect(isJson('{"a":1}')).toBe(true)
    expect(isJson('<html>')).toBe(false)
  })
})
