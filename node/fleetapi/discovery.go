package fleetapi

import "drydock/node/api"

// Describe answers with the description of the API in the form of Google's API
// discovery, from which clients can be generated. It has what fleet has; ours is in
// the package comment.
func Describe() *api.Response {
	resp := empty(200)
	resp.Headers = append(resp.Headers, api.Header{Name: "Content-Type", Value: "application/json"})
	resp.Body = []byte(discoveryText)
	return &resp
}

const discoveryText = `{
  "kind": "discovery#restDescription",
  "discoveryVersion": "v1",
  "id": "fleet:v1",
  "name": "schema",
  "version": "v1",
  "title": "fleet API",
  "description": "Units of a cluster and the machines that run them",
  "protocol": "rest",
  "icons": {"x16": "", "x32": ""},
  "labels": [],
  "baseUrl": "$ENDPOINT/fleet/v1/",
  "basePath": "/fleet/v1/",
  "rootUrl": "$ENDPOINT/",
  "servicePath": "fleet/v1/",
  "batchPath": "batch",
  "parameters": {},
  "auth": {},
  "schemas": {
    "Machine": {
      "id": "Machine",
      "type": "object",
      "properties": {
        "id": {"type": "string", "required": true},
        "metadata": {"type": "object", "properties": {}, "additionalProperties": {"type": "string"}},
        "primaryIP": {"type": "string"}
      }
    },
    "MachinePage": {
      "id": "MachinePage",
      "type": "object",
      "properties": {
        "machines": {"type": "array", "items": {"$ref": "Machine"}},
        "nextPageToken": {"type": "string"}
      }
    },
    "UnitOption": {
      "id": "UnitOption",
      "type": "object",
      "properties": {
        "name": {"type": "string"},
        "section": {"type": "string"},
        "value": {"type": "string"}
      }
    },
    "Unit": {
      "id": "Unit",
      "type": "object",
      "properties": {
        "currentState": {"type": "string", "enum": ["inactive", "loaded", "launched"]},
        "desiredState": {"type": "string", "enum": ["inactive", "loaded", "launched"]},
        "machineID": {"type": "string"},
        "name": {"type": "string", "required": true},
        "options": {"type": "array", "items": {"$ref": "UnitOption"}}
      }
    },
    "UnitPage": {
      "id": "UnitPage",
      "type": "object",
      "properties": {
        "nextPageToken": {"type": "string"},
        "units": {"type": "array", "items": {"$ref": "Unit"}}
      }
    },
    "UnitState": {
      "id": "UnitState",
      "type": "object",
      "properties": {
        "hash": {"type": "string"},
        "machineID": {"type": "string"},
        "name": {"type": "string"},
        "systemdActiveState": {"type": "string"},
        "systemdLoadState": {"type": "string"},
        "systemdSubState": {"type": "string"}
      }
    },
    "UnitStatePage": {
      "id": "UnitStatePage",
      "type": "object",
      "properties": {
        "nextPageToken": {"type": "string"},
        "states": {"type": "array", "items": {"$ref": "UnitState"}}
      }
    }
  },
  "resources": {
    "Machines": {
      "methods": {
        "List": {
          "id": "fleet.Machine.List",
          "description": "Lists the machines that are up, a page at a time.",
          "httpMethod": "GET",
          "path": "machines",
          "parameters": {"nextPageToken": {"type": "string", "location": "query"}},
          "response": {"$ref": "MachinePage"}
        }
      }
    },
    "Units": {
      "methods": {
        "Delete": {
          "id": "fleet.Unit.Delete",
          "description": "Destroys a unit.",
          "httpMethod": "DELETE",
          "path": "units/{unitName}",
          "parameters": {"unitName": {"type": "string", "location": "path", "required": true}},
          "parameterOrder": ["unitName"]
        },
        "Get": {
          "id": "fleet.Unit.Get",
          "description": "Gets a unit.",
          "httpMethod": "GET",
          "path": "units/{unitName}",
          "parameters": {"unitName": {"type": "string", "location": "path", "required": true}},
          "parameterOrder": ["unitName"],
          "response": {"$ref": "Unit"}
        },
        "List": {
          "id": "fleet.Unit.List",
          "description": "Lists units, a page at a time.",
          "httpMethod": "GET",
          "path": "units",
          "parameters": {"nextPageToken": {"type": "string", "location": "query"}},
          "response": {"$ref": "UnitPage"}
        },
        "Set": {
          "id": "fleet.Unit.Set",
          "description": "Makes a unit, or changes it.",
          "httpMethod": "PUT",
          "path": "units/{unitName}",
          "parameters": {"unitName": {"type": "string", "location": "path", "required": true}},
          "parameterOrder": ["unitName"],
          "request": {"$ref": "Unit"}
        }
      }
    },
    "UnitState": {
      "methods": {
        "Get": {
          "id": "fleet.UnitState.Get",
          "description": "Gets what is told of a unit.",
          "httpMethod": "GET",
          "path": "state/{unitName}",
          "parameters": {"unitName": {"type": "string", "location": "path", "required": true}},
          "parameterOrder": ["unitName"],
          "response": {"$ref": "UnitState"}
        },
        "List": {
          "id": "fleet.UnitState.List",
          "description": "Lists what machines have told of units, a page at a time.",
          "httpMethod": "GET",
          "path": "state",
          "parameters": {
            "machineID": {"type": "string", "location": "query"},
            "nextPageToken": {"type": "string", "location": "query"},
            "unitName": {"type": "string", "location": "query"}
          },
          "response": {"$ref": "UnitStatePage"}
        }
      }
    }
  }
}
`
