// The browser's storage. A page in a frame of another site may be refused it: then things are remembered until it is left.

interface Kept {
  get: (name: string) => string | null
  set: (name: string, value: string) => void
  remove: (name: string) => void
}

function kept(open: () => Storage): Kept {
  try {
    const storage = open()
    return {
      get: name => storage.getItem(name),
      set: (name, value) => storage.setItem(name, value),
      remove: name => storage.removeItem(name),
    }
  } catch {
    const values = new Map<string, string>()
    return {
      get: name => values.get(name) ?? null,
      set: (name, value) => void values.set(name, value),
      remove: name => void values.delete(name),
    }
  }
}

export const ofTab = kept(() => sessionStorage)
export const ofBrowser = kept(() => localStorage)
