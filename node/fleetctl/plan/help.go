package plan

// Help says what a plan file is, and what comes of it.
const Help = `Read machines and steps from a YAML file and show, after each step, which machine
every unit is on, global units too, and why each other one has none. The decisions
are those of a cluster. FILE may be - for standard input.

A file has:

  machines:                   the machines that are up at first
    - {id: m1, metadata: {disk: ssd}, resources: {cpu: 4, memory: 8G, gpu: 1}}
  steps:                      each step does all of these that it has
    - start:                  units, also load and submit
        - {name: web@1.service, fleet: ["Conflicts=web@*"]}
        - {file: units/db.service}      a unit file, beside the plan
    - stop: [web@1.service]             also unload and destroy
    - down: [m1]                        machines that fail
      up: [{id: m4}]                    machines that join
      meta: {m2: {disk: hdd}}           new metadata; null takes a key away
      drain: [m3]                       machines to be emptied; undrain ends it
      preset: {db.service: m2}          a placement that stands already

A machine that states no resources is not accounted: everything fits on it.

With --json each step is a line:
  {"step": 1, "placed": {unit: id}, "global": {unit: [ids]}, "unplaced": {unit: reason}}

Exit status: 0 the plan was run, 1 with --check if a unit that should run has no
machine after the last step, 2 the call or the file was wrong.`
