import { expect, it, vi } from 'vitest'

vi.mock('./credential', () => ({ credential: { headers: () => ({}) } }))
const { parse } = await import('./tail')

it('takes events apart, whatever they are cut into', () => {
  const text = ': listening\n\ndata: {"a":1}\n\n: still here\n\ndata: {"b":"\\n"}\n\n'
  for (let cut = 0; cut <= text.length; cut++) {
    const first = parse(text.slice(0, cut))
    const second = parse(first.left + text.slice(cut))
    expect([...first.events, ...second.events]).toEqual([{ a: 1 }, { b: '\n' }])
    expect(second.left).toBe('')
  }
})
