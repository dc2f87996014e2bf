// Event types as a tree: names are paths, with dots.

export interface Branch {
  name: string // the whole path: "invoice.payment"
  label: string // its last part
  isType: boolean
  children: Branch[]
}

export function treeOf(names: string[]): Branch[] {
  const root: Branch = { name: '', label: '', isType: false, children: [] }
  for (const name of [...new Set(names)].sort()) {
    let at = root
    let path = ''
    for (const part of name.split('.')) {
      path = path ? `${path}.${part}` : part
      let next = at.children.find(child => child.name === path)
      if (!next) {
        next = { name: path, label: part, isType: false, children: [] }
        at.children.push(next)
      }
      at = next
    }
    at.isType = true
  }
  return root.children.map(fold)
}

// A branch with one child that is no type itself is one line: "invoice.payment" instead of two steps.
function fold(branch: Branch): Branch {
  const children = branch.children.map(fold)
  const only = children[0]
  if (!branch.isType && children.length === 1 && only) return { ...only, label: `${branch.label}.${only.label}` }
  return { ...branch, children }
}

export function typesOf(branch: Branch): string[] {
  return [...(branch.isType ? [branch.name] : []), ...branch.children.flatMap(typesOf)]
}
