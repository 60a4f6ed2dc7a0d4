"""Catmull-Clark subdivision of quad meshes as a sparse matrix.

The topology never changes between identities, so one level is computed once and then applied to
any vertex positions or attributes by one product.
"""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp


def catmull_clark(quads: np.ndarray, vertex_count: int) -> tuple[sp.csr_matrix, np.ndarray]:
    """One level of subdivision (Catmull and Clark 1978; boundary edges as cubic B-splines).

    Args:
        quads: (F, 4) vertex indices.
        vertex_count: V, the number of vertices that ``quads`` index.

    Returns:
        The (V + E + F, V) matrix that maps old vertices to new ones, rows ordered as moved old
        vertices, edge points, face points; and the (4 F, 4) new quads.
    """
    quads = np.asarray(quads)
    face_count = len(quads)
    ends = np.stack([quads, np.roll(quads, -1, 1)], -1).reshape(-1, 2)
    edges, edge_of_corner, uses = np.unique(
        np.sort(ends, 1), axis=0, return_inverse=True, return_counts=True
    )
    edge_of_corner = edge_of_corner.reshape(face_count, 4)
    edge_count = len(edges)
    corner_face = np.repeat(np.arange(face_count), 4)
    edge_twice = np.repeat(np.arange(edge_count), 2)

    def matrix(
        values: np.ndarray, rows: np.ndarray, columns: np.ndarray, shape: tuple[int, int]
    ) -> sp.csr_matrix:
        return sp.csr_matrix((values, (rows, columns)), shape)

    ones = np.ones(face_count * 4)
    face_points = matrix(ones / 4, corner_face, quads.ravel(), (face_count, vertex_count))
    middles = matrix(
        np.full(edge_count * 2, 0.5), edge_twice, edges.ravel(), (edge_count, vertex_count)
    )
    edge_faces = matrix(ones, edge_of_corner.ravel(), corner_face, (edge_count, face_count))
    inner = uses == 2
    edge_points = sp.diags(np.where(inner, 0.5, 1.0)) @ middles
    edge_points = edge_points + sp.diags(np.where(inner, 0.25, 0.0)) @ (edge_faces @ face_points)

    # Inner vertices: F/n + 2R/n + (n-3)P/n. Boundary: 3/4 of itself, 1/8 of either neighbour.
    vertex_faces = matrix(ones, quads.ravel(), corner_face, (vertex_count, face_count))
    vertex_edges = matrix(
        np.ones(edge_count * 2), edges.ravel(), edge_twice, (vertex_count, edge_count)
    )
    valence = np.maximum(np.asarray(vertex_faces.sum(1)).ravel(), 1)
    degree = np.maximum(np.asarray(vertex_edges.sum(1)).ravel(), 1)
    inner_rule = (
        sp.diags(1 / valence**2) @ vertex_faces @ face_points
        + sp.diags(2 / valence / degree) @ vertex_edges @ middles
        + sp.diags((valence - 3) / valence)
    )
    rim = np.flatnonzero(~inner)
    on_rim = np.zeros(vertex_count, bool)
    on_rim[edges[rim].ravel()] = True
    rim_edges = matrix(
        np.ones(len(rim) * 2), edges[rim].ravel(), np.repeat(rim, 2), (vertex_count, edge_count)
    )
    rim_degree = np.maximum(np.asarray(rim_edges.sum(1)).ravel(), 1)
    rim_rule = sp.diags(0.5 / rim_degree) @ rim_edges @ middles + sp.eye(vertex_count) * 0.5
    moved = (
        sp.diags((~on_rim).astype(float)) @ inner_rule + sp.diags(on_rim.astype(float)) @ rim_rule
    )

    center = vertex_count + edge_count + np.arange(face_count)
    new_quads = [
        np.stack(
            [
                quads[:, corner],
                vertex_count + edge_of_corner[:, corner],
                center,
                vertex_count + edge_of_corner[:, (corner - 1) % 4],
            ],
            1,
        )
        for corner in range(4)
    ]
    subdivision = sp.vstack([moved, edge_points, face_points]).tocsr()
    return subdivision, np.stack(new_quads, 1).reshape(-1, 4)
