import { expect, it } from 'vitest'
import { treeOf, typesOf } from './tree'

const outline = (names: string[]): unknown =>
  treeOf(names).map(function line(branch): unknown {
    return branch.children.length > 0 ? [branch.label + (branch.isType ? '*' : ''), branch.children.map(line)] : branch.label
  })

it('puts names below what they begin with', () => {
  expect(outline(['order.shipped', 'invoice.paid', 'invoice.created'])).toEqual([['invoice', ['created', 'paid']], 'order.shipped'])
})

it('lets a branch be a type itself', () => {
  expect(outline(['a', 'a.b', 'a.b.c'])).toEqual([['a*', [['b*', ['c']]]]])
})

it('folds branches that have one way only', () => {
  expect(outline(['a.b.c.d', 'a.b.c.e'])).toEqual([['a.b.c', ['d', 'e']]])
})

it('finds all types below a branch', () => {
  expect(treeOf(['a', 'a.b', 'a.c.d']).flatMap(typesOf)).toEqual(['a', 'a.b', 'a.c.d'])
})
