import { expect, it } from 'vitest'
import { addressOf, nameOf, wordOf } from './endpoint'

const hook = { id: 'ep_1', uid: null, url: 'https://example.com:8443/hook', description: '' }
const poller = { id: 'ep_2', uid: null, url: 'poller:', type: 'poller' as const, description: 'Warehouse' }

it('names endpoints with and without an address', () => {
  expect(nameOf(hook)).toBe('https://example.com:8443/hook')
  expect(nameOf({ ...hook, description: 'Orders' })).toBe('Orders')
  expect(addressOf(poller)).toBe('Fetched by the customer')
})

it('always has a word to confirm with', () => {
  expect(wordOf(hook)).toBe('example.com:8443')
  expect(wordOf(poller)).toBe('ep_2')
  expect(wordOf({ ...poller, uid: 'warehouse' })).toBe('warehouse')
})
